# SPDX-License-Identifier: GPL-2.0-or-later
"""ELF files made wrong where the program that has them mapped does not look."""
import random
import struct

ALLOCATED, COMPRESSED = 2, 0x800


class Elf:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = bytearray(file.read())
        self.table, = struct.unpack_from("<Q", self.data, 40)
        self.nr, names = struct.unpack_from("<HH", self.data, 60)
        start = self.field(names, 24)
        self.names = {}
        for number in range(self.nr):
            at = start + self.field(number, 0, "I")
            self.names[self.data[at:self.data.index(0, at)].decode()] = number

    def field(self, number, at, form="Q"):
        return struct.unpack_from("<" + form, self.data, self.table + 64 * number + at)[0]

    def set_field(self, number, at, value, form="Q"):
        struct.pack_into("<" + form, self.data, self.table + 64 * number + at, value)

    def span(self, number):
        """Where the contents of a section are in the file."""
        start, size = self.field(number, 24), self.field(number, 32)
        return start, start + (0 if self.field(number, 4, "I") == 8 else size)

    def not_loaded(self):
        return [number for number in range(1, self.nr) if not self.field(number, 8) & ALLOCATED and
                self.span(number)[0] < self.span(number)[1]]

    def replace(self, name, contents, flags=0):
        """The contents of a section, put at the end of the file."""
        number = self.names[name]
        self.set_field(number, 24, len(self.data))
        self.set_field(number, 32, len(contents))
        self.set_field(number, 8, self.field(number, 8) | flags)
        self.data += contents

    def write(self, path):
        with open(path, "wb") as file:
            file.write(self.data)
        return path


def spoil(elf, start, end, chance):
    """Some bytes of a part of the file."""
    for _ in range(chance.randint(1, 40)):
        value = chance.choice((0, 1, 0x7f, 0x80, 0xff, chance.randrange(256)))
        elf.data[chance.randrange(start, end)] = value


def variant(source, path, seed):
    """A library that loads and runs as before, whatever a debugger makes of it."""
    elf, chance = Elf(source), random.Random(seed)
    way = chance.randrange(8)
    if way == 0:                        # cut short behind what is loaded
        first = min(elf.span(number)[0] for number in elf.not_loaded())
        del elf.data[chance.randrange(first, len(elf.data)):]
    elif way == 1:                      # unwind data: nobody throws
        spoil(elf, *elf.span(elf.names[".eh_frame"]), chance)
    elif way == 2:                      # the section headers
        for _ in range(chance.randint(1, 20)):
            elf.set_field(chance.randrange(elf.nr), 8 * chance.randrange(8),
                          chance.choice((0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 40, 2 ** 63, 2 ** 64 - 1)))
    else:
        for number in chance.sample(elf.not_loaded(), 3):
            spoil(elf, *elf.span(number), chance)
    return elf.write(path)
