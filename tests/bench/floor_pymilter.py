#!/usr/bin/python3
"""The floor filter in Python: `floor_pymilter.py SOCKET`."""

import sys

import Milter


class Floor(Milter.Base):
    """One sender and one header for every message, as tests/bench/floor.c."""

    @Milter.noreply
    def connect(self, name, family, address):
        return Milter.CONTINUE

    @Milter.noreply
    def envfrom(self, sender, *esmtp):
        return Milter.CONTINUE

    @Milter.noreply
    def envrcpt(self, recipient, *esmtp):
        return Milter.CONTINUE

    @Milter.noreply
    def header(self, name, value):
        return Milter.CONTINUE

    def eom(self):
        self.addheader("X-Waybill-Route", "r0")
        self.chgfrom("<info@return.example.com>")
        return Milter.CONTINUE


def main():
    Milter.factory = Floor
    Milter.set_flags(Milter.ADDHDRS | Milter.CHGFROM)
    Milter.runmilter("floor", sys.argv[1], timeout=0, rmsock=True)


if __name__ == "__main__":
    main()
