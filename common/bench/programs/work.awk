# What the bench records of gawk: fields, associative arrays, strings that grow, substitution.
NR > count { exit }
{
    for (i = 1; i <= NF; i++) {
        seen[$i]++
        places[$i] = places[$i] " " NR
    }
    line = $0
    gsub(/[0-9]+/, "<&>", line)
    kept[NR % 1000] = toupper(line) "|" length($0)
    if (split(line, parts, /[<>]/) > 2)
        pairs_[parts[1], parts[2]] = parts[3]
}
END {
    for (word in seen)
        report = report sprintf("%s %d %d\n", word, seen[word], length(places[word]))
    print length(report), length(kept)
}
