//! Peers that don't keep to the protocol: an error or a closed channel, bounded memory, and nobody else notices.

use crate::support::{CLERK, TestVault, media};

/// A session beside the attack: it must live through all of it, and its upload must be accepted.
const BESIDE: &str = "\
beside = Raw(transport())
kept = beside.open('/inbox/000100012345_20260728_A0098877_IDF_01.jpg')
page = open(HOME + '/files/page.jpg', 'rb').read()
assert beside.write(kept, 0, page[:5000]) == OK
def unharmed():
    assert beside.lives()
";

fn survives(script: &str) {
    let vault = TestVault::serving();
    let page = vault.file("page.jpg", &media::jpeg(20_000, 1));
    let before = vault.server().resident_bytes();
    let rest =
        "\nunharmed()\nassert beside.write(kept, 5000, page[5000:]) == OK\nassert beside.close(kept) == OK\n";
    vault.python(CLERK, &format!("{BESIDE}{script}{rest}")).ok();
    let grown = vault.server().resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "the server grew by {} MiB", grown >> 20);
    vault.assert_accepted(CLERK, "000100012345_20260728_A0098877_IDF_01.jpg", &page);
    vault.assert_sound();
}

#[test]
fn lengths_that_lie() {
    survives(
        "for length in [0, 1 << 20, 0x7fffffff, 0xffffffff]:
    r = Raw(transport())
    r.send_bytes(struct.pack('>I', length))
    try:
        # Whatever the server makes of the length, it doesn't wait for four gigabytes.
        for _ in range(64):
            r.send_bytes(b'\\x05' * 32768)
    except (OSError, EOFError, paramiko.SSHException):
        pass
    assert r.ended(), length
    unharmed()
",
    );
}

#[test]
fn truncated_packets() {
    survives(
        "bodies = [(OPEN, string('/inbox/x.jpg') + struct.pack('>II', 2, 0)), (CLOSE, string('h')),
    (READ, string('h') + struct.pack('>QI', 0, 10)), (WRITE, string('h') + struct.pack('>Q', 0) + string('abc')),
    (SETSTAT, string('/inbox/x') + struct.pack('>I', 0)), (OPENDIR, string('/inbox')), (READDIR, string('h')),
    (RENAME, string('/inbox/a') + string('/inbox/b')), (EXTENDED, string('statvfs@openssh.com') + string('/'))]
for kind, body in bodies:
    r = Raw(transport())
    for cut in range(len(body)):
        try:
            code = r.status(kind, body[:cut])
            assert code not in (None, OK), (kind, cut, code)
        except (EOFError, OSError):
            r = Raw(transport())  # closing the channel is an answer too
    # A string that claims more than its packet holds.
    try:
        assert r.status(kind, struct.pack('>I', 0xfffffff0) + b'x') not in (None, OK)
    except (EOFError, OSError):
        pass
    r.transport.close()
    unharmed()
",
    );
}

#[test]
fn wrong_and_unknown_types() {
    survives(
        "r = Raw(transport())
for kind in [0, 3, 21, 99, STATUS, HANDLE, DATA, NAME, ATTRS, 150, 201, 255]:
    try:
        assert r.status(kind, b'\\0' * 20) not in (None, OK), kind
    except (EOFError, OSError):
        r = Raw(transport())
for name in ['', 'no-such@example.com', 'x' * 200, '\\0\\0']:
    assert r.status(EXTENDED, string(name) + b'\\1\\2\\3') == UNSUPPORTED, name
# INIT twice, and a first packet that isn't INIT.
try:
    r.send(INIT, struct.pack('>I', 3))
    r.receive()
except (EOFError, OSError, AssertionError):
    pass
r = Raw(transport(), init=False)
try:
    r.send(OPEN, struct.pack('>I', 1) + string('/inbox/x') + struct.pack('>II', 2, 0))
    kind, _ = r.receive()
    assert kind == STATUS, kind
except (EOFError, OSError):
    pass
",
    );
}

#[test]
fn thousands_of_handles() {
    survives(
        "r = Raw(transport())
opened, refusal = [], None
for number in range(5000):
    try:
        opened.append(r.open(f'/inbox/000100054321_20260728_H{number:05}_IDF_01.jpg'))
    except OSError as error:
        refusal = error
        break
assert refusal is not None and 0 < len(opened) < 5000, len(opened)
assert 'open' in str(refusal), refusal
for path in ['/inbox'] * 3000:
    if r.status(OPENDIR, string(path)) is not None:
        break
else:
    raise SystemExit('three thousand folders open at once')
assert r.lives()
r.transport.close()
",
    );
}

#[test]
fn channels_and_connections_without_end() {
    survives(
        "import itertools
one = transport()
channels = []
try:
    for _ in range(400):
        channels.append(Raw(one))
except (paramiko.SSHException, EOFError, OSError):
    pass
assert len(channels) < 400, 'four hundred channels in one connection'
unharmed()
one.close()
raw = []
try:
    for _ in range(2000):
        raw.append(socket.create_connection(('127.0.0.1', PORT), timeout=5))
except OSError:
    pass
time.sleep(0.2)
unharmed()
for s in raw:
    s.close()
",
    );
}

#[test]
fn writes_past_the_end_of_numbers() {
    survives(
        "r = Raw(transport())
# Refused at once, or acknowledged on the way in and refused by CLOSE: never both well.
for number, offset in enumerate([1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]):
    h = r.open(f'/inbox/000100054321_20260728_A0098877_WVID_0{number}.mp4')
    written = r.write(h, offset, b'abc')
    closed = r.close(h)
    assert written != OK or closed != OK, (offset, written, closed)
h = r.open('/inbox/000100054321_20260728_A0098877_WVID_11.mp4')
# Islands: pieces far apart, never the one between.
written = {r.write(h, number * 40000, b'x' * 32768) for number in range(1, 4000)}
closed = r.close(h)
assert written != {OK} or closed != OK
for handle in ['', 'x', '\\0' * 4, 'y' * 256]:
    assert r.write(handle, 0, b'abc') not in (None, OK)
    assert r.status(READ, string(handle) + struct.pack('>QI', 0, 100)) not in (None, OK)
assert r.lives()
",
    );
}

#[test]
fn paths_that_climb() {
    survives(
        "r = Raw(transport())
for path in ['/../../etc/passwd', '../../../etc/passwd', '/inbox/../../etc/passwd', '/inbox/\\0x', '/inbox/' + 'a' * 5000,
             '/' + 'a/' * 3000, '//etc//passwd', '/inbox/./../log', '/proc/self/environ']:
    code = r.status(OPEN, string(path) + struct.pack('>II', READ_FLAG, 0))
    assert code not in (None, OK), path
    code = r.status(OPEN, string(path) + struct.pack('>II', WRITE_FLAG | CREAT_FLAG, 0))
    assert code not in (None, OK) or path.startswith('/inbox/a'), path
for kind in (SYMLINK, ):
    assert r.status(kind, string('/etc/passwd') + string('/inbox/link')) == UNSUPPORTED
assert r.status(READLINK, string('/inbox')) not in (None, OK)
",
    );
}

#[test]
fn a_flood_that_reads_no_answers() {
    survives(
        "r = Raw(transport())
r.channel.settimeout(3)
try:
    for number in range(200000):
        r.send(STAT, struct.pack('>I', number) + string('/inbox'))
except (socket.timeout, TimeoutError, OSError, EOFError):
    pass
unharmed()
r.transport.close()
",
    );
}

#[test]
fn noise_instead_of_packets() {
    survives(
        "import random
rng = random.Random(20260728)
for round in range(40):
    r = Raw(transport())
    try:
        r.send_bytes(rng.randbytes(rng.choice([5, 100, 40000])))
        r.send(rng.randrange(256), rng.randbytes(rng.randrange(300)))
        r.channel.settimeout(0.3)
        r.receive()
    except (OSError, EOFError, AssertionError, socket.timeout, TimeoutError, paramiko.SSHException):
        pass
    r.transport.close()
unharmed()
",
    );
}
