# gnuplot's commands for a plot of lines with their names at the right end: the range of both axes, and
# the labels. Reads points: x, name, y on a logarithmic axis. Names that would lie on each other are
# moved apart. -v styles=FILE has a line for each name: name, colour.

BEGIN {
    while ((getline line <styles) > 0) {
        split(line, part, " ")
        colour[part[1]] = part[2]
    }
}

{
    x[$2] = $1
    y[$2] = place[$2] = log($3)
    if (NR == 1) {
        left = right = $1
        low = high = log($3)
    }
    left = $1 < left ? $1 : left
    right = $1 > right ? $1 : right
    low = log($3) < low ? log($3) : low
    high = log($3) > high ? log($3) : high
}

# Moves a and b apart, each by half of what is missing. Returns whether it had to.
function part_labels(a, b, gap,    missing) {
    missing = gap - (place[b] - place[a])
    if (x[a] != x[b] || missing <= gap / 100)
        return 0
    place[a] -= missing / 2
    place[b] += missing / 2
    return 1
}

function sort_by_place(    i, j, swap) {
    for (i = 2; i <= count; i++)
        for (j = i; j > 1 && y[order[j]] < y[order[j - 1]]; j--) {
            swap = order[j]
            order[j] = order[j - 1]
            order[j - 1] = swap
        }
}

END {
    if (NR == 0)
        exit 0
    for (name in y)
        order[++count] = name
    sort_by_place()
    margin = (high - low) / 20 + 0.05
    printf "set yrange [%g:%g]\n", exp(low - margin), exp(high + margin)
    printf "set xrange [%g:%g]\n", left * 0.9, right * 1.02
    gap = (high - low + 2 * margin) / 21
    for (turn = 0; turn < 1000; turn++) {
        moved = 0
        for (i = 1; i < count; i++)
            moved += part_labels(order[i], order[i + 1], gap)
        if (!moved)
            break
    }
    for (i = 1; i <= count; i++)
        printf "set label \"%s\" at first %s, first %g offset 1.2,0 textcolor rgb \"%s\"\n", order[i], x[order[i]], exp(place[order[i]]), colour[order[i]]
}
