# What the bench records of Perl: hashes, strings that grow, regular expressions, sorting, nested data.
# Arguments: a file, and how many of its lines to read.
use strict;
use warnings;

my ($path, $count) = @ARGV;
open my $file, '<', $path or die "$path: $!\n";
my (%words, %lines, @records);
while (my $line = <$file>) {
    last if $. > $count;
    chomp $line;
    $words{$_}++ for split ' ', $line;
    push @{ $lines{ length $line } }, $line;
    my %record = (id => $., text => uc $line);
    while ($line =~ /([a-z]+)(\d+)/g) {
        $record{$1} = [$2, $2 x 2];
    }
    push @records, \%record;
    splice @records, 0, 500 if @records > 2000;
}
my $report = '';
for my $word (sort { $words{$b} <=> $words{$a} or $a cmp $b } keys %words) {
    $report .= sprintf "%-20s %d\n", $word, $words{$word};
}
my $short = join ',', map { join '-', reverse split //, $_ } sort keys %words;
print length($report), ' ', length($short), ' ', scalar(@records), "\n";
