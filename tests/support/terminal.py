"""Runs a program on a terminal of its own and types answers when it asks for them.

terminal.py '[["prompt", "answer"], …]' program arguments…

Prints everything the terminal showed; ends with the program's exit code, or with 99 when it didn't ask for everything.
"""

import json
import os
import pty
import sys

answers = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])

shown, asked = b"", 0
while True:
    try:
        more = os.read(terminal, 4096)
    except OSError:  # EIO: the program has closed its end
        break
    if not more:
        break
    shown += more
    while answers and answers[0][0].encode() in shown[asked:]:
        prompt, answer = answers.pop(0)
        asked = shown.index(prompt.encode(), asked) + len(prompt.encode())
        os.write(terminal, answer.encode())

code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stdout.buffer.write(shown)
sys.exit(99 if answers else code)
