"""A filter that changes nothing and writes down what the MTA sends it."""

import socket
import struct
import threading

NO_REPLY = {"C": 0x1000, "H": 0x2000, "M": 0x4000, "R": 0x8000, "T": 0x10000, "L": 0x80,
            "N": 0x40000, "B": 0x80000}
ACTIONS = 0x1D1     # headers, recipients, the sender, lists of macros
SYMBOLS = {0: "{daemon_name} {client_addr}", 2: "i {auth_authen} {mail_addr}",
           3: "i {rcpt_mailer} {rcpt_host} {rcpt_addr}", 5: "i"}


class Recorder:
    """Asks for steps (SMFIP_*). connections: what came by each, as a list of
    "C", "M" and so on, and "D M i {mail_addr}" for macros and their names."""

    def __init__(self, steps):
        self.steps = steps
        self.connections = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            seen = []
            self.connections.append(seen)
            threading.Thread(target=self._serve, args=(client, seen), daemon=True).start()

    def _serve(self, client, seen):
        buffer = b""
        with client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while octets := client.recv(1 << 20):
                buffer += octets
                while len(buffer) >= 4:
                    length = struct.unpack("!I", buffer[:4])[0]
                    if len(buffer) < 4 + length:
                        break
                    packet, buffer = buffer[4:4 + length], buffer[4 + length:]
                    self._packet(client, chr(packet[0]), packet[1:], seen)

    def _packet(self, client, command, data, seen):
        seen.append(self._describe(command, data))
        if command == "O":
            reply = struct.pack("!III", 6, ACTIONS, self.steps)
            reply += b"".join(struct.pack("!I", stage) + names.encode() + b"\0"
                              for stage, names in SYMBOLS.items())
            self._send(client, b"O" + reply)
        elif command == "E" or (command in NO_REPLY and not self.steps & NO_REPLY[command]):
            self._send(client, b"c")

    @staticmethod
    def _describe(command, data):
        if command != "D":
            return command
        names = data[1:].split(b"\0")[0:-1:2]
        return " ".join(["D", chr(data[0]), *(name.decode() for name in names)])

    @staticmethod
    def _send(client, packet):
        client.sendall(struct.pack("!I", len(packet)) + packet)
