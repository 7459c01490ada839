# What the bench records of Python: parsing, JSON, regular expressions, dictionaries, objects in
# cycles, sorting. The same requests each time. Argument: how many lines of the file to read.
import ast
import collections
import gc
import json
import re
import sys


class Node:
    def __init__(self, key, parent):
        self.key = key
        self.parent = parent
        self.children = []


def tree(keys):
    root = Node('', None)
    for key in keys:
        node = root
        for character in key[:4]:
            found = [child for child in node.children if child.key == character]
            if not found:
                found = [Node(character, node)]
                node.children += found
            node = found[0]
    return root


def program(lines):
    parts = []
    for i, line in enumerate(lines[:400]):
        parts.append('def f%d(x):\n    y = {"key": x, "text": %r}\n    return [y, x + %d]\n' % (i, line, i))
    return ast.dump(ast.parse('\n'.join(parts)))


def main(path, count):
    with open(path) as file:
        lines = [line.rstrip('\n') for _, line in zip(range(count), file)]
    words = collections.Counter(word for line in lines for word in re.findall('[a-z0-9]+', line))
    records = [{'id': i, 'words': line.split(), 'text': line} for i, line in enumerate(lines)]
    text = json.dumps(records)
    again = json.loads(text)
    again.sort(key=lambda record: record['text'])
    replaced = [re.sub('[0-9]+', lambda match: '<' + match.group() + '>', line) for line in lines]
    root = tree(words)
    del root
    gc.collect()
    print(len(words), len(text), again[0]['id'], len(''.join(replaced)), len(program(lines)))


main(sys.argv[1], int(sys.argv[2]))
