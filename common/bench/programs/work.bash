# What the bench records of bash: variables, arrays, pattern substitution, functions, arithmetic.
# Arguments: a file, and how many of its lines to read. One process: no subshells, no pipes.
shorten() {
    local text=$1
    text=${text//[0-9]/}
    short=${text#* }
}
declare -A seen
kept=()
total=0
number=0
while read -r line && ((number++ < $2)); do
    for word in $line; do
        seen[$word]=$((${seen[$word]:-0} + 1))
    done
    shorten "$line"
    kept[number % 200]="$short ${line^^}"
    ((total += ${#short}))
done <"$1"
echo "${#seen[@]} ${#kept[@]} $total"
