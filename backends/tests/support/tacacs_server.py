"""A TACACS+ server on scapy's packets, for tests: tacacs_server.py SETTINGS

SETTINGS is JSON: key, users (name to password), refused (name to the words of a FAIL that the right password gets),
unauthorized (names that get no PPP), single_connect, tls (ca, certificate, key), authorization (arguments),
authorization_status, and behaviour, the name of something that the server does wrong. It prints the port it listens
on, then a line of JSON for every packet it gets; it ends with its standard input.
"""

import hashlib
import hmac
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time

from cryptography.hazmat.backends import default_backend
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from scapy.contrib import tacacs

SETTINGS = json.loads(sys.argv[1])
BEHAVIOUR = SETTINGS.get("behaviour", "")
KEY = SETTINGS.get("key", "")
PRINTING = threading.Lock()
CONNECTIONS = 0
# Sessions of ASCII logins that go on, each with its user.
DIALOGUES = {}


def say(value):
    with PRINTING:
        print(value if isinstance(value, int) else json.dumps(value), flush=True)


def md4(data):
    """RFC 1320: OpenSSL 3 has none any more."""
    def roll(value, count):
        value &= 0xFFFFFFFF
        return (value << count | value >> (32 - count)) & 0xFFFFFFFF

    rounds = (
        (0, (3, 7, 11, 19), range(16), lambda x, y, z: x & y | ~x & z),
        (0x5A827999, (3, 5, 9, 13), [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
         lambda x, y, z: x & y | x & z | y & z),
        (0x6ED9EBA1, (3, 9, 11, 15), [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15],
         lambda x, y, z: x ^ y ^ z),
    )
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    padded = data + b"\x80" + bytes(-(len(data) + 9) % 64) + struct.pack("<Q", 8 * len(data))
    for start in range(0, len(padded), 64):
        words = struct.unpack("<16I", padded[start:start + 64])
        a, b, c, d = state
        for constant, shifts, order, mix in rounds:
            for turn, index in enumerate(order):
                new = roll(a + mix(b, c, d) + words[index] + constant, shifts[turn % 4])
                a, b, c, d = d, new, b, c
        state = [(old + new) & 0xFFFFFFFF for old, new in zip(state, (a, b, c, d))]
    return struct.pack("<4I", *state)


def des(key, block):
    bits = int.from_bytes(key, "big")
    spread = bytes((bits >> (49 - 7 * i) & 0x7F) << 1 for i in range(8))
    cipher = Cipher(algorithms.TripleDES(spread * 3), modes.ECB(), default_backend()).encryptor()
    return cipher.update(block) + cipher.finalize()


def nt_response(password, challenge):
    """RFC 2433 appendix A."""
    hashed = md4(password.decode().encode("utf-16-le")) + bytes(5)
    return b"".join(des(hashed[i:i + 7], challenge) for i in (0, 7, 14))


def ask(session, user):
    """The first answer to an ASCII login, and what comes next in its session."""
    DIALOGUES[session] = user
    if not user:
        return bytes(tacacs.TacacsAuthenticationReply(status=4, server_msg=b"Username: "))
    return bytes(tacacs.TacacsAuthenticationReply(status=5, flags=1, server_msg=b"Password: "))


def go_on(session, typed):
    user = DIALOGUES.pop(session)
    if not user:
        return ask(session, typed.decode())
    if BEHAVIOUR == "again":
        return ask(session, user)
    if BEHAVIOUR == "next-code":
        return bytes(tacacs.TacacsAuthenticationReply(status=3, server_msg=b"Next tokencode: "))
    right = SETTINGS["users"].get(user, "").encode() == typed
    return bytes(tacacs.TacacsAuthenticationReply(status=1 if right else 2, server_msg=b"hello" if right else b"no"))


def proves(start, password):
    data = start.data
    if start.authen_type == 2:
        return hmac.compare_digest(data, password)
    if start.authen_type == 3:
        identifier, challenge, response = data[:1], data[1:-16], data[-16:]
        return hashlib.md5(identifier + password + challenge).digest() == response
    if start.authen_type == 5 and len(data) == 1 + 8 + 49:
        return data[57] == 1 and nt_response(password, data[1:9]) == data[33:57]
    return False


def authenticate(body, session):
    # Not scapy's own guess by lengths, which takes the length octets for signed ones.
    start = tacacs.TacacsAuthenticationStart(body)
    user = start.user.decode()
    say({"type": "authentication", "action": start.action, "authen_type": start.authen_type,
         "service": start.authen_service, "user": user, "port": start.port.decode(),
         "remote": start.rem_addr.decode(), "connection": threading.current_thread().name})
    status = {"follow": 0x21, "restart": 6, "error": 7, "getdata": 3, "getuser": 4, "getpass": 5,
              "status": 99}.get(BEHAVIOUR)
    message, data = b"", b""
    if start.authen_type == 1 and status is None:
        return ask(session, user)
    if status is not None:
        message, data = b"in the server's words", b"\x1b[2Jlog\nwords" if BEHAVIOUR == "error" else b""
    else:
        password = SETTINGS["users"].get(user)
        right = password is not None and proves(start, password.encode())
        status, message = (1, b"welcome") if right else (2, b"go\r\naway")
        if right and user in SETTINGS.get("refused", {}):
            status, message = 2, SETTINGS["refused"][user].encode()
    return bytes(tacacs.TacacsAuthenticationReply(status=status, server_msg=message, data=data))


def arguments(packet):
    found = []
    layer = packet.payload
    while isinstance(layer, tacacs.TacacsPacketArguments):
        found.append(layer.data.decode())
        layer = layer.payload
    return found


def authorize(body):
    request = tacacs.TacacsAuthorizationRequest(body)
    say({"type": "authorization", "authen_method": request.authen_method, "authen_type": request.authen_type,
         "service": request.authen_service, "user": request.user.decode(), "arguments": arguments(request)})
    given = [argument.encode() for argument in SETTINGS.get("authorization", [])]
    status = SETTINGS.get("authorization_status", 1)
    if request.user.decode() in SETTINGS.get("unauthorized", []):
        status = 16
    message = b"" if status < 3 else b"not for you"
    reply = tacacs.TacacsAuthorizationReply(status=status, server_msg=message,
                                            arg_len_list=[len(argument) for argument in given])
    return bytes(reply) + b"".join(given)


def account(body):
    request = tacacs.TacacsAccountingRequest(body)
    say({"type": "accounting", "flags": request.flags, "authen_method": request.authen_method,
         "authen_type": request.authen_type, "user": request.user.decode(), "arguments": arguments(request)})
    return bytes(tacacs.TacacsAccountingReply(status=2 if BEHAVIOUR == "accounting-error" else 1))


def receive(stream, count):
    data = b""
    while len(data) < count:
        piece = stream.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def serve(stream):
    unhidden = 1 if SETTINGS.get("tls") else 0
    agreed = None
    answered = 0
    sending = threading.Lock()
    while True:
        header = receive(stream, 12)
        version, kind, number, flags, session, length = struct.unpack("!BBBBII", header)
        body = receive(stream, length)
        if unhidden != flags & 1:
            say({"type": "flags", "flags": flags})
            return
        if not unhidden:
            body = tacacs.obfuscate(body, KEY, session, version, number)
        if agreed is None:
            agreed = bool(flags & 4) and SETTINGS.get("single_connect", False)
        if kind == 1 and number > 1:
            going_on = tacacs.TacacsAuthenticationContinue(body)
            say({"type": "continue", "number": number, "flags": going_on.flags, "data": going_on.data.decode()})
            if session not in DIALOGUES:
                continue
            reply = go_on(session, going_on.user_msg)
            misbehave(stream, sending, reply, unhidden, version, kind, number + 1, session)
            if session not in DIALOGUES:
                return
            continue

        def answer(version=version, kind=kind, number=number, session=session, body=body):
            lengths = sum(body[4:8]) + 8 if kind == 1 else length
            if lengths != len(body):
                say({"type": "wrong key"})
                reply = bytes(tacacs.TacacsAuthenticationReply(status=7, server_msg=b"unreadable"))
            else:
                reply = authenticate(body, session) if kind == 1 else {2: authorize, 3: account}[kind](body)
            mark = unhidden | (4 if agreed and not answered else 0)
            misbehave(stream, sending, reply, mark, version, kind, number + 1, session)

        if BEHAVIOUR == "hang-up" or BEHAVIOUR == "hang-up-second" and answered:
            return
        if BEHAVIOUR == "silent-second" and answered:
            time.sleep(600)
        if BEHAVIOUR == "parallel" and answered:
            # The later the question, the sooner its answer.
            delay = max(0.0, 0.5 - 0.004 * answered)
            timer = threading.Timer(delay, answer)
            timer.name = threading.current_thread().name
            timer.start()
        else:
            answer()
        answered += 1
        if not agreed and session not in DIALOGUES:
            return


def misbehave(stream, sending, body, flags, version, kind, number, session):
    length = None
    if BEHAVIOUR == "sequence":
        number += 2
    elif BEHAVIOUR == "session":
        session ^= 1
    elif BEHAVIOUR == "type":
        kind = 3
    elif BEHAVIOUR == "version":
        version = 0x10
    elif BEHAVIOUR == "unencrypted":
        flags ^= 1
    elif BEHAVIOUR == "too-long":
        length = 65537
    elif BEHAVIOUR == "lengths":
        body = body[:-1]
    elif BEHAVIOUR == "silent":
        time.sleep(600)
    elif BEHAVIOUR == "slow":
        time.sleep(1)
    if not flags & 1:
        body = tacacs.obfuscate(body, KEY, session, version, number)
    if length is None:
        length = len(body)
    packet = struct.pack("!BBBBII", version, kind, number, flags, session, length) + body
    if BEHAVIOUR == "truncated":
        packet = packet[:-1]
    elif BEHAVIOUR == "truncated-header":
        packet = packet[:7]
    elif BEHAVIOUR == "endless":
        packet = struct.pack("!BBBBII", version, kind, number, flags, session, 65536)
        while True:
            stream.sendall(packet)
            packet = b"x"
            time.sleep(0.05)
    elif BEHAVIOUR == "flood":
        while True:
            stream.sendall(bytes(4096))
    with sending:
        stream.sendall(packet)


def accept(stream, context):
    try:
        if context:
            stream = context.wrap_socket(stream, server_side=True)
        serve(stream)
    except (EOFError, OSError, ssl.SSLError):
        pass
    finally:
        try:
            stream.close()
        except OSError:
            pass


def main():
    global CONNECTIONS
    context = None
    if tls := SETTINGS.get("tls"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls["certificate"], tls["key"])
        if version := tls.get("highest"):
            context.maximum_version = ssl.TLSVersion[version]
        if tls.get("ca"):
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(tls["ca"])
    listener = socket.create_server(("127.0.0.1", SETTINGS.get("port", 0)), backlog=256)
    say(listener.getsockname()[1])

    def end_with_input():
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=end_with_input, daemon=True).start()
    while True:
        stream, _ = listener.accept()
        CONNECTIONS += 1
        say({"type": "connection", "number": CONNECTIONS})
        name = str(CONNECTIONS)
        threading.Thread(target=accept, args=(stream, context), name=name, daemon=True).start()


main()
