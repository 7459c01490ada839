# Whether memory stays flat: the samples, one a line, are what a process had in memory. Fails if the
# median of the later half is more than a tenth and 1 MiB (1024) above that of the earlier half, both
# after the warm-up, which is the first fifth.

function median(from, to,    i, j, count, value, sorted)
{
    count = 0
    for (i = from; i <= to; i++) {
        value = sample[i]
        for (j = count++; j > 0 && sorted[j - 1] > value; j--)
            sorted[j] = sorted[j - 1]
        sorted[j] = value
    }
    return sorted[int(count / 2)]
}

/^[0-9]+$/ { sample[++samples] = $1 }

END {
    if (samples < 20) {
        print "only " samples + 0 " samples"
        exit 1
    }
    thin = int(samples / 400) + 1 # so many are enough
    for (i = 1; i * thin <= samples; i++)
        sample[i] = sample[i * thin]
    samples = i - 1
    first = int(samples / 5) + 1
    middle = int((first + samples) / 2)
    earlier = median(first, middle)
    later = median(middle + 1, samples)
    printf "%d samples; the later half is at %.2f times the earlier, %d MiB\n", samples,
        later / earlier, earlier / 1024
    exit later > earlier * 1.1 + 1024
}
