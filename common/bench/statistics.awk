# Reads what `compare` wrote, one or more files, and computes medians, quartiles and geometric means. The
# reports are awk programs that are used together with this one. POSIX awk.
#
# What a program printed before it ran out of memory or time counts; a column that one of the runs did
# not reach is missing. ns2, ns3 ..., the rounds after the first in one process, are one column: warm.
#
# A case is the values of all columns before `contestant`, with blanks between them. In the order in
# which they appear first: cases[1..case_count], names[1..name_count].

BEGIN { FS = "," }

FNR == 1 {
    for (i = 1; i <= NF; i++)
        header[i] = $i
    columns = NF
    for (place = 1; place < NF && $place != "contestant"; place++)
        ;
    next
}

{
    key = $1
    for (i = 2; i < place; i++)
        key = key " " $i
    name = $place
    if (!(key in case_seen)) { case_seen[key] = 1; cases[++case_count] = key }
    if (!(name in name_seen)) { name_seen[name] = 1; names[++name_count] = name }
    if ($(place + 1) + 0 > rounds)
        rounds = $(place + 1) + 0
    if ($(place + 2) != "ok")
        why[key, name] = $(place + 2) (NF > place + 2 ? " warm" : "")
    for (i = place + 3; i <= columns; i++) {
        column = header[i] ~ /^ns[2-9]$/ ? "warm" : header[i]
        if (i > NF)
            missing[key, name, column] = 1
        values[key, name, column] = values[key, name, column] " " $i
    }
}

# Sorts list[1..count] as numbers.
function sort_numbers(list, count,    i, j, value) {
    for (i = 2; i <= count; i++) {
        value = list[i] + 0
        for (j = i - 1; j >= 1 && list[j] + 0 > value; j--)
            list[j + 1] = list[j]
        list[j + 1] = value
    }
}

# The value below which the share q of the sorted list lies; between two values, in proportion.
function quantile(list, count, q,    at, below) {
    at = 1 + (count - 1) * q
    below = int(at)
    if (below >= count)
        return list[count]
    return list[below] + (list[below + 1] - list[below]) * (at - below)
}

# The quantile of all rounds, such as quantile_of("recorded git", "libc", "ns", 0.5); "-" if the
# contestant failed in one of them.
function quantile_of(key, name, column, q,    count, list) {
    if ((key, name, column) in missing || !((key, name, column) in values))
        return "-"
    count = split(values[key, name, column], list, " ")
    sort_numbers(list, count)
    return quantile(list, count, q)
}

# Computed once for each.
function median(key, name, column) {
    if (!((key, name, column) in medians))
        medians[key, name, column] = quantile_of(key, name, column, 0.5)
    return medians[key, name, column]
}

# Nanoseconds of a free and a malloc in growth.csv, without those of the program.
function cost(key, name) {
    if (median(key, name, "ns") == "-")
        return "-"
    return (median(key, name, "ns") - median(key, name, "own")) / median(key, name, "pairs")
}

# a / b, or "-" if one of them is missing.
function quotient(a, b) {
    return a == "-" || b == "-" || a == "" || b == "" || b == 0 ? "-" : a / b
}

# Adds a value, unless it is "-", to the geometric mean called `mean`. Values are positive.
function mean_add(mean, value) {
    if (value == "-")
        return
    mean_logs[mean] += log(value)
    mean_count[mean]++
}

function geometric_mean(mean) {
    return mean_count[mean] ? exp(mean_logs[mean] / mean_count[mean]) : "-"
}

# A number in a table: two digits behind the point for small ones, or "-".
function figure(value) {
    if (value == "-" || value == "")
        return "-"
    return sprintf(value < 9.995 ? "%.2f" : value < 99.95 ? "%.1f" : "%.0f", value)
}

# A table's first line: its title, then the names of the columns, right-aligned in `width`.
function print_header(title, label, label_width, width,    i, line) {
    line = sprintf("%-" label_width "s", label)
    for (i = 1; i <= name_count; i++)
        line = line sprintf("%" width "s", names[i])
    printf "\n%s\n%s", title, line
}

# What is missing in the tables, and why.
function print_missing(    i, j, text, part, said) {
    text["refused"] = "asked for more memory than it has"
    text["limit"] = "took longer than the limit"
    text["fault"] = "ended with an error"
    for (i = 1; i <= case_count; i++)
        for (j = 1; j <= name_count; j++)
            if (split(why[cases[i], names[j]], part, " "))
                printf "%s- %s, %s%s: %s\n", said++ ? "" : "\n", names[j], cases[i], part[2] ? ", warm" : "", text[part[1]]
}
