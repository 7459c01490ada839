# The table of instructions, and the check: the committed figures come first, then those just counted.
#   awk -v key=gcc-12 -v tolerance=3 -v patterns='small mixed' -f instructions.awk COMMITTED COUNTED
# COMMITTED has lines of compiler, stage, pattern, figure; only those of `key` count. COUNTED has lines
# of contestant, pattern, figure. In the table the change stands beside each figure. Ends with exit
# status 1 if one got worse by more than `tolerance` percent, or a committed one was not counted.

/^#/ { next }
NF == 4 {
    if ($1 == key)
        old[$2, $3] = $4
    next
}
NF == 3 {
    if (!($1 in seen)) {
        seen[$1] = 1
        order[++rows] = $1
    }
    counted[$1, $2] = $3
}

function cell(name, pattern,    text, change) {
    text = sprintf("%9.1f", counted[name, pattern])
    if (!((name, pattern) in old))
        return text "          "
    change = (counted[name, pattern] / old[name, pattern] - 1) * 100
    if (change > tolerance)
        worse = worse "    " name ", " pattern ": from " old[name, pattern] " to " counted[name, pattern] "\n"
    return text sprintf(" %+7.1f %%", change)
}

function print_row(name,    c, line) {
    line = sprintf("%-10s", name)
    for (c = 1; c <= columns; c++)
        line = line "  " cell(name, pattern[c])
    sub(/ +$/, "", line)
    print line
}

END {
    columns = split(patterns, pattern, " ")
    print "Instructions of a malloc and a free, and the change against the committed figures"
    line = sprintf("%-10s", "")
    for (c = 1; c <= columns; c++)
        line = line sprintf("  %9s          ", pattern[c])
    sub(/ +$/, "", line)
    print line
    for (r = 1; r <= rows; r++)
        print_row(order[r])
    for (place in old)
        if (!(place in counted)) {
            split(place, part, SUBSEP)
            worse = worse "    " part[1] ", " part[2] ": not counted\n"
        }
    if (worse != "")
        printf "More than %s %% worse:\n%s", tolerance, worse
    exit worse != ""
}
