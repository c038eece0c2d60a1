"""Messages built by hand, and what a reader makes of them."""

import base64


def b64(octets):
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")


def word(text, charset):
    """An encoded word (RFC 2047)."""
    return b"=?%s?B?%s?=" % (charset.encode(), base64.b64encode(text.encode(charset)))


def message(subject, of_type, body):
    return (b"From: games@mx.test\r\nTo: info@form.test\r\nSubject: " + subject
            + b"\r\nMIME-Version: 1.0\r\nContent-Type: " + of_type + b"\r\n" + body)


def mixed(subject, *parts):
    return message(subject, b"multipart/mixed; boundary=\"=_b\"\r\n",
                   b"".join(b"--=_b\r\n" + part + b"\r\n" for part in parts) + b"--=_b--\r\n")


ALL_OCTETS = bytes(range(256)) * 300
JAPANESE = "\u304a\u554f\u3044\u5408\u308f\u305b"           # o-toi-awase
ESTIMATE = "\u898b\u7a4d\u66f8.pdf"                          # mitsumori-sho
TRICKY = "\u8868\u793a\u30bd\u80fd"    # second octets of Shift_JIS that are "\\"

# octets, subject, text, html, [(name, type, octets)]
MESSAGES = {
    "plain": (message(b"A plain one", b"text/plain", b"\r\nOne\r\n.two\r\n"),
              "A plain one", "One\n.two\n", None, []),
    "html": (message(b"HTML", b"text/html; charset=utf-8",
                     b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                     b"<p>Gr=C3=BC=\r\n=C3=9Fe</p>\r\n"),
             "HTML", None, "<p>Gr\u00fc\u00dfe</p>\n", []),
    "both": (message(b"Both", b"multipart/alternative; boundary=b",
                     b"\r\n--b\r\n\r\nText\r\n--b\r\nContent-Type: text/html\r\n\r\n"
                     b"<b>Text</b>\r\n--b--\r\n"),
             "Both", "Text", "<b>Text</b>", []),
    "attachments": (
        mixed(b"Two files", b"\r\nSee below.",
              b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
              b"Content-Disposition: attachment; filename=all.bin\r\n\r\n" + b64(ALL_OCTETS),
              b"Content-Type: text/csv\r\n"
              b"Content-Disposition: attachment; filename=\"a b.csv\"\r\n\r\n1,2\r\n3,4"),
        "Two files", "See below.", None,
        [("all.bin", "application/octet-stream", ALL_OCTETS),
         ("a b.csv", "text/csv", b"1,2\r\n3,4")]),
    "iso-2022-jp": (
        mixed(word(JAPANESE, "iso-2022-jp"),
              b"Content-Type: text/plain; charset=ISO-2022-JP\r\n\r\n"
              + JAPANESE.encode("iso-2022-jp"),
              b"Content-Type: application/pdf; name=\"" + word(ESTIMATE, "iso-2022-jp")
              + b"\"\r\nContent-Transfer-Encoding: base64\r\n"
              b"Content-Disposition: attachment\r\n\r\n" + b64(b"%PDF\0\xff")),
        JAPANESE, JAPANESE, None, [(ESTIMATE, "application/pdf", b"%PDF\0\xff")]),
    "shift-jis": (
        mixed(word(TRICKY, "shift_jis"),
              b"Content-Type: text/plain; charset=Shift_JIS\r\n"
              b"Content-Transfer-Encoding: 8bit\r\n\r\n" + TRICKY.encode("shift_jis"),
              b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
              b"Content-Disposition: attachment; filename=\"" + word(ESTIMATE, "shift_jis")
              + b"\"\r\n\r\n" + b64(b"%PDF-1.4")),
        TRICKY, TRICKY, None, [(ESTIMATE, "application/pdf", b"%PDF-1.4")]),
    "utf-8": (
        mixed(word(JAPANESE, "utf-8") + b"\r\n " + word(" \U0001f600", "utf-8"),
              b"Content-Type: text/plain; charset=utf-8\r\n"
              b"Content-Transfer-Encoding: base64\r\n\r\n" + b64(f"{JAPANESE}\r\n".encode()),
              b"Content-Type: application/pdf\r\nContent-Disposition: attachment;\r\n"
              b" filename*0*=UTF-8''%E8%A6%8B;\r\n filename*1*=%E7%A9%8D%E6%9B%B8;\r\n"
              b" filename*2=.pdf\r\n\r\n%PDF-1.4"),
        JAPANESE + " \U0001f600", JAPANESE + "\n", None,
        [(ESTIMATE, "application/pdf", b"%PDF-1.4")]),
    "unencoded": (
        mixed(JAPANESE.encode("shift_jis"), b"\r\nx",
              b"Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=\""
              + ESTIMATE.encode() + b"\"\r\n\r\n%PDF-1.4"),
        JAPANESE, "x", None, [(ESTIMATE, "application/pdf", b"%PDF-1.4")]),
}
