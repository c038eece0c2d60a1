"""A strict reader of multipart/form-data (RFC 7578): what has any other form
than it must have is an error."""

import re
from dataclasses import dataclass


@dataclass
class Field:
    name: str
    value: bytes
    filename: str = None
    type: str = None

    @property
    def text(self):
        return self.value.decode("utf-8")


HEADER = re.compile(rb'Content-Disposition: form-data; name="([^"\r\n]*)"'
                    rb'(?:; filename="([^"\r\n]*)"\r\nContent-Type: ([!-~]+))?')


def unescape(octets):
    text = octets.decode("utf-8")
    return text.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


def read(content_type, body):
    """The fields, in their order."""
    form, boundary = content_type.split("; boundary=")
    assert form == "multipart/form-data"
    delimiter = b"\r\n--" + boundary.encode()
    first, *parts, end = (b"\r\n" + body).split(delimiter)
    assert (first, end) == (b"", b"--\r\n")
    fields = []
    for part in parts:
        head, value = part.split(b"\r\n\r\n", 1)
        match = HEADER.fullmatch(head.removeprefix(b"\r\n"))
        assert match, head
        name, filename, type_ = match.groups()
        fields.append(Field(unescape(name), value,
                            None if filename is None else unescape(filename),
                            None if type_ is None else type_.decode()))
    return fields


def by_name(fields):
    names = [field.name for field in fields]
    assert len(names) == len(set(names)), f"a field came twice: {names}"
    return {field.name: field for field in fields}
