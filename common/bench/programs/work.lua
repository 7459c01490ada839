-- What the bench records of Lua: tables, strings, closures, a queue of short-lived objects.
-- Arguments: a file, and how many of its lines to read.
local path, count = arg[1], tonumber(arg[2])
local words, records, total = {}, {}, 0
local number = 0
for line in io.lines(path) do
    number = number + 1
    if number > count then
        break
    end
    local record = { id = number, words = {}, upper = line:upper() }
    for word in line:gmatch("%w+") do
        words[word] = (words[word] or 0) + 1
        record.words[#record.words + 1] = word .. "/" .. words[word]
    end
    record.length = function()
        return #record.upper + #record.words
    end
    records[number] = record
    records[number - 1000] = nil
end
local sorted = {}
for word in pairs(words) do
    sorted[#sorted + 1] = word
end
table.sort(sorted)
for _, record in pairs(records) do
    total = total + record.length()
end
print(#sorted, total, #table.concat(sorted, ","))
