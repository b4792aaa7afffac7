#!/usr/bin/env python3
"""cvc5 as a command: reads SMT-LIB from standard input and answers each command at once.

The package in the Python index brings cvc5 as a library alone. This is as much of its command line as
`partywall prove` needs. It lies beside the folder `wheel`, into which the package was unpacked.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "wheel"))

import cvc5  # noqa: E402


def commands(lines):
    """Text in which every bracket is closed, as soon as it is there."""
    text, depth, within = "", 0, None
    for line in lines:
        for char in line:
            if within:
                within = None if char == within else within
            elif char in '"|':
                within = char
            elif char == ";":
                within = "\n"
            elif char in "()":
                depth += 1 if char == "(" else -1
        text += line
        if depth <= 0 and within is None and text.strip():
            yield text
            text, depth = "", 0


def main():
    if "--version" in sys.argv:
        print("This is cvc5 version " + cvc5.Solver(cvc5.TermManager()).getVersion().decode())
        return
    parser = fresh()
    for text in commands(sys.stdin):
        if text.strip() == "(reset)":
            parser = fresh()
            continue
        try:
            parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "stdin")
            while not (command := parser.nextCommand()).isNull():
                print(command.invoke(parser.getSolver(), parser.getSymbolManager()), end="", flush=True)
        except Exception as error:
            print('(error "' + str(error).replace('"', '""').replace("\n", " ") + '")', flush=True)
            return


def fresh():
    return cvc5.InputParser(cvc5.Solver(cvc5.TermManager()))


main()
