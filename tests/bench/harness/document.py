"""Tables in a document, each between markers of its own: prose around them stays as somebody wrote it."""

import re

from .process import Failure


def write(path, texts):
    """Puts each text between its markers `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`, which must be there."""
    document = path.read_text()
    for name, text in texts.items():
        begin, end = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
        pattern = re.compile(re.escape(begin) + r".*?" + re.escape(end), re.DOTALL)
        if len(pattern.findall(document)) != 1:
            raise Failure(f"{path} has no place for {begin}")
        document = pattern.sub(lambda _, put=f"{begin}\n\n{text}\n\n{end}": put, document)
    path.write_text(document)
