# What bench-instructions records of Perl: an index of a text, a hash of arrays, and the text's lines, an
# array of hashes; both sorted and printed. Arguments: a file, and how many of its lines to read.
use strict;
use warnings;

my ($path, $count) = @ARGV;
open my $file, '<', $path or die "$path: $!\n";
my (%places, @lines);
while (my $line = <$file>) {
    last if $. > $count;
    my ($number, @words) = split ' ', $line;
    push @{ $places{$_} }, $number for @words;
    push @lines, { number => $number, first => $words[0], text => "@words" };
}
print "$_: @{ $places{$_} }\n" for sort keys %places;
print "$_->{number} $_->{text}\n" for sort { $a->{first} cmp $b->{first} } @lines;
