//! The floors: what each piece of an upload or a download costs by itself, and what they come to together. `cargo bench --bench pieces`
//! prints Markdown; method and figures: `docs/BENCHMARKS.md`.
//!
//! One thread a piece, in the sizes that the product uses, several rounds of everything in turn; medians, with the smallest and
//! the largest of the rounds. `cargo test --benches` runs it small, so that it can't rot.

use muniment::crypto::{BodyReader, BodyWriter, FileKey, Identity, Recipients, StoredDigest, body, header};
use openssl::{cipher::Cipher, cipher_ctx::CipherCtx};
use ring::{
    aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey},
    digest::{Context, SHA256},
    rand::SystemRandom,
};
use rustix::{
    fs::OFlags,
    time::{ClockId, clock_gettime},
};
use std::{
    collections::BTreeMap,
    error::Error,
    fs::{self, File, OpenOptions},
    hint::black_box,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const KIB: usize = 1024;
/// Sizes of pieces: what clients send in one WRITE, a chunk of a body, a segment.
const PIECES: [usize; 3] = [32 * KIB, 64 * KIB, 256 * KIB];
const SEGMENT: usize = 256 * KIB;
/// Plain bytes that are worked on at a time: more than the processor keeps at hand.
const STOCK: usize = 32 * 1024 * KIB;
/// What direct writes are aligned to.
const PAGE: usize = 4 * KIB;

struct Options {
    rounds: usize,
    size_mb: usize,
    memory: PathBuf,
    disk: PathBuf,
}

fn options() -> Result<Options> {
    let mut options = Options {
        rounds: 1,
        size_mb: 32,
        memory: "/dev/shm".into(),
        disk: env!("CARGO_TARGET_TMPDIR").into(),
    };
    let mut arguments = std::env::args().skip(1);
    let (mut rounds, mut size_mb) = (None, None);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            // `cargo bench` says so; `cargo test` doesn't.
            "--bench" => (options.rounds, options.size_mb) = (5, 512),
            "--rounds" => rounds = Some(value()?.parse()?),
            "--size-mb" => size_mb = Some(value()?.parse()?),
            "--memory" => options.memory = value()?.into(),
            "--disk" => options.disk = value()?.into(),
            other => {
                return Err(format!(
                    "unknown argument {other}: --rounds N, --size-mb N, --memory DIR, --disk DIR"
                )
                .into());
            }
        }
    }
    options.rounds = rounds.unwrap_or(options.rounds).max(1);
    options.size_mb = size_mb.unwrap_or(options.size_mb).max(32);
    Ok(options)
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pieces bench: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let (mut floors, mut small) = (Floors::default(), Small::new());
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        computing(options, &mut floors)?;
        for (store, folder) in [("memory", &options.memory), ("disk", &options.disk)] {
            files(options, store, folder, &mut floors)?;
        }
        for piece in [32 * KIB, SEGMENT] {
            loopback(options, piece, &mut floors)?;
        }
        answering(options, &mut floors)?;
        small_files(options, &mut small)?;
    }
    floors.print();
    print_small(&small, &floors);
    Ok(())
}

// --- what was measured -----------------------------------------------------------------------------------------------

/// Seconds for a GB in one round.
#[derive(Clone, Copy)]
struct Sample {
    wall: f64,
    cpu: f64,
}

/// Rounds by what was measured and in pieces of which size.
#[derive(Default)]
struct Floors(BTreeMap<(String, usize), Vec<Sample>>);

/// A time, by the clock of this thread's processor and by the wall.
#[derive(Clone, Copy, Default)]
struct Taken {
    wall: Duration,
    cpu: Duration,
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// Adds what `work` takes on this thread.
fn timed<T>(taken: &mut Taken, work: impl FnOnce() -> T) -> T {
    let (began, cpu) = (Instant::now(), thread_cpu());
    let done = work();
    taken.cpu += thread_cpu() - cpu;
    taken.wall += began.elapsed();
    done
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

impl Floors {
    fn add(&mut self, what: &str, piece: usize, taken: Taken, bytes: usize) {
        let for_a_gb = |time: Duration| time.as_secs_f64() * 1e9 / bytes as f64;
        let sample = Sample {
            wall: for_a_gb(taken.wall),
            cpu: for_a_gb(taken.cpu),
        };
        self.0.entry((what.to_owned(), piece)).or_default().push(sample);
    }

    fn samples(&self, what: &str, piece: usize) -> &[Sample] {
        self.0.get(&(what.to_owned(), piece)).map_or(&[], Vec::as_slice)
    }

    /// Median of the processor's seconds for a GB.
    fn cpu(&self, what: &str, piece: usize) -> f64 {
        median(
            self.samples(what, piece)
                .iter()
                .map(|sample| sample.cpu)
                .collect(),
        )
    }

    /// Median of GB/s, with the slowest and the fastest round.
    fn speed(&self, what: &str, piece: usize) -> String {
        let speeds: Vec<f64> = self
            .samples(what, piece)
            .iter()
            .map(|sample| 1.0 / sample.wall)
            .collect();
        let least = speeds.iter().copied().fold(f64::INFINITY, f64::min);
        let most = speeds.iter().copied().fold(0.0, f64::max);
        format!("{:.2} ({least:.2}–{most:.2})", median(speeds))
    }

    fn print(&self) {
        println!("| piece, one thread | CPU s/GB in 32 KiB | in 64 KiB | in 256 KiB | GB/s in 256 KiB |");
        println!("|---|---|---|---|---|");
        for what in COMPUTING {
            let [small, chunk, segment] = PIECES.map(|piece| self.cpu(what, piece));
            let speed = self.speed(what, SEGMENT);
            println!("| {what} | {small:.3} | {chunk:.3} | {segment:.3} | {speed} |");
        }
        println!();
        println!("| file of 256 KiB pieces | memory-backed: CPU s/GB | GB/s | disk: CPU s/GB | GB/s |");
        println!("|---|---|---|---|---|");
        for what in FILES {
            let cells = ["memory", "disk"].map(|store| {
                let what = format!("{what}, {store}");
                if self.samples(&what, SEGMENT).is_empty() {
                    return "– | –".to_owned();
                }
                format!("{:.3} | {}", self.cpu(&what, SEGMENT), self.speed(&what, SEGMENT))
            });
            println!("| {what} | {} |", cells.join(" | "));
        }
        println!();
        println!("| loopback TCP | sender CPU s/GB | receiver CPU s/GB | GB/s |");
        println!("|---|---|---|---|");
        for piece in [32 * KIB, SEGMENT] {
            let [sent, received] = [SENT, RECEIVED].map(|what| self.cpu(what, piece));
            let speed = self.speed(RECEIVED, piece);
            println!("| in {} KiB | {sent:.3} | {received:.3} | {speed} |", piece / KIB);
        }
        let answered = self.cpu(ANSWERED, WRITE_BYTES);
        println!(
            "| in 32 KiB, each answered, {WINDOW} under way | | {answered:.3} | {} |",
            self.speed(ANSWERED, WRITE_BYTES)
        );
        println!();
        self.print_sums();
    }

    /// What a transfer can't go below: each piece once, nothing between them. Segments of 256 KiB but for SSH's packets, which
    /// clients make of 32 KiB on the way up and we of up to 255 KiB on the way down.
    fn print_sums(&self) {
        let segment = |what: &str| self.cpu(what, SEGMENT);
        let received = |cipher: &str| segment(RECEIVED) + self.cpu(&format!("{cipher}, open"), 32 * KIB);
        let kept = segment(SHA) + segment(SEAL) + segment(BLAKE3);
        let memory = segment(&format!("{BUFFERED}, memory"));
        println!("| the pieces together, CPU s/GB | aes256-gcm | aes128-gcm | chacha20 |");
        println!("|---|---|---|---|");
        let row = |what: &str, sum: &dyn Fn(&str) -> f64| {
            let cells = CIPHERS.map(|cipher| format!("{:.2}", sum(cipher)));
            println!("| {what} | {} |", cells.join(" | "));
        };
        row("upload as it comes, to memory", &|cipher| {
            received(cipher) + memory
        });
        row("upload hashed and encrypted, to memory", &|cipher| {
            received(cipher) + kept + memory
        });
        row("the same to disk, synced", &|cipher| {
            received(cipher) + kept + segment(&format!("{DIRECT}, disk"))
        });
        // The packets come, and are answered, as a client with so many WRITEs under way sends them.
        let answered = |cipher: &str| {
            let seals =
                self.cpu(&format!("{cipher}, seal"), ANSWER_BYTES) * ANSWER_BYTES as f64 / WRITE_BYTES as f64;
            self.cpu(ANSWERED, WRITE_BYTES) - segment(RECEIVED) + seals
        };
        row(
            "hashed and encrypted, to memory, each WRITE answered",
            &|cipher| received(cipher) + kept + memory + answered(cipher),
        );
        row("download as it lies, from memory", &|cipher| {
            segment(&format!("{READ}, memory")) + segment(&format!("{cipher}, seal")) + segment(SENT)
        });
        row("download decrypted, from memory", &|cipher| {
            segment(&format!("{READ}, memory"))
                + segment(OPEN)
                + segment(&format!("{cipher}, seal"))
                + segment(SENT)
        });
    }
}

// --- computing --------------------------------------------------------------------------------------------------------

/// SSH's chacha20-poly1305 isn't quite the AEAD that is measured, but the same work: each byte once through ChaCha20 and once through
/// Poly1305, under a new one-time key for each packet.
const CIPHERS: [&str; 3] = ["aes256-gcm", "aes128-gcm", "chacha20"];
const SHA: &str = "SHA-256";
const SEAL: &str = "age body, seal";
const OPEN: &str = "age body, open";
const BLAKE3: &str = "BLAKE3 of the body";
const COPY: &str = "memory copy";
/// What bodies don't use: the same cipher by ring, in place and without a writer or reader around it.
const RING_SEAL: &str = "ring's ChaCha20-Poly1305, seal";
const RING_OPEN: &str = "ring's ChaCha20-Poly1305, open";
const COMPUTING: [&str; 13] = [
    "aes256-gcm, open",
    "aes256-gcm, seal",
    "aes128-gcm, open",
    "aes128-gcm, seal",
    "chacha20, open",
    "chacha20, seal",
    SHA,
    SEAL,
    OPEN,
    RING_SEAL,
    RING_OPEN,
    BLAKE3,
    COPY,
];

/// Bytes that don't compress and aren't all alike.
fn stock(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut made = Vec::with_capacity(bytes);
    while made.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        made.extend_from_slice(&state.to_le_bytes());
    }
    made
}

fn computing(options: &Options, floors: &mut Floors) -> Result<()> {
    let bytes = options.size_mb * 1_000_000 / STOCK * STOCK;
    let plain = stock(STOCK);
    let times = (bytes / STOCK).max(1);
    let bytes = times * STOCK;
    for piece in PIECES {
        for (cipher, algorithm) in [("aes256-gcm", &AES_256_GCM), ("aes128-gcm", &AES_128_GCM)] {
            let [opened, sealed] = by_ring(algorithm, &plain, piece, times)?;
            floors.add(&format!("{cipher}, open"), piece, opened, bytes);
            floors.add(&format!("{cipher}, seal"), piece, sealed, bytes);
        }
        let [opened, sealed] = chacha(&plain, piece, times)?;
        floors.add("chacha20, open", piece, opened, bytes);
        floors.add("chacha20, seal", piece, sealed, bytes);

        let mut taken = Taken::default();
        let mut context = Context::new(&SHA256);
        timed(&mut taken, || {
            (0..times).for_each(|_| plain.chunks(piece).for_each(|piece| context.update(piece)));
        });
        black_box(context.finish());
        floors.add(SHA, piece, taken, bytes);

        let [sealed, opened] = age(&plain, piece, times)?;
        floors.add(SEAL, piece, sealed, bytes);
        floors.add(OPEN, piece, opened, bytes);
        let [opened, sealed] = by_ring(&CHACHA20_POLY1305, &plain, piece, times)?;
        floors.add(RING_SEAL, piece, sealed, bytes);
        floors.add(RING_OPEN, piece, opened, bytes);

        let mut taken = Taken::default();
        let mut stored = StoredDigest::new();
        timed(&mut taken, || {
            (0..times).for_each(|_| plain.chunks(piece).for_each(|piece| stored.update(piece)));
        });
        black_box(stored.finish());
        floors.add(BLAKE3, piece, taken, bytes);

        let mut taken = Taken::default();
        let mut target = vec![0; piece];
        timed(&mut taken, || {
            for piece in (0..times).flat_map(|_| plain.chunks(piece)) {
                target.copy_from_slice(piece);
                black_box(&target);
            }
        });
        floors.add(COPY, piece, taken, bytes);
    }
    Ok(())
}

/// An AEAD of ring as SSH uses AES-GCM (RFC 5647): one packet a call, its length as additional data. Opening, then sealing.
fn by_ring(algorithm: &'static Algorithm, plain: &[u8], piece: usize, times: usize) -> Result<[Taken; 2]> {
    let key = UnboundKey::new(algorithm, &vec![7; algorithm.key_len()]).map_err(|_| "a key")?;
    let key = LessSafeKey::new(key);
    let nonce = |number: usize| {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&(number as u64).to_be_bytes());
        Nonce::assume_unique_for_key(nonce)
    };
    let length = Aad::from(u32::try_from(piece)?.to_be_bytes());
    let (mut opened, mut sealed) = (Taken::default(), Taken::default());
    let mut packets: Vec<Vec<u8>> = plain.chunks(piece).map(<[u8]>::to_vec).collect();
    let mut tags = Vec::with_capacity(packets.len());
    for _ in 0..times {
        tags.clear();
        timed(&mut sealed, || {
            for (number, packet) in packets.iter_mut().enumerate() {
                tags.push(key.seal_in_place_separate_tag(nonce(number), length, packet));
            }
        });
        for (packet, tag) in packets.iter_mut().zip(tags.drain(..)) {
            packet.extend_from_slice(tag.map_err(|_| "sealing")?.as_ref());
        }
        timed(&mut opened, || {
            packets.iter_mut().enumerate().try_for_each(|(number, packet)| {
                key.open_in_place(nonce(number), length, packet).map(|opened| {
                    black_box(opened);
                })
            })
        })
        .map_err(|_| "opening")?;
        packets.iter_mut().for_each(|packet| packet.truncate(piece));
    }
    Ok([opened, sealed])
}

/// libcrypto's ChaCha20-Poly1305, one packet a call. Opening, then sealing.
fn chacha(plain: &[u8], piece: usize, times: usize) -> Result<[Taken; 2]> {
    let (mut seals, mut opens) = (CipherCtx::new()?, CipherCtx::new()?);
    let (cipher, key) = (Cipher::chacha20_poly1305(), [7; 32]);
    seals.encrypt_init(Some(cipher), Some(&key), None)?;
    opens.decrypt_init(Some(cipher), Some(&key), None)?;
    let nonce = |number: u32| {
        let mut nonce = [0; 12];
        nonce[8..].copy_from_slice(&number.to_be_bytes());
        nonce
    };
    let (mut opened, mut sealed) = (Taken::default(), Taken::default());
    let mut packets: Vec<Vec<u8>> = plain.chunks(piece).map(<[u8]>::to_vec).collect();
    let mut tags = vec![[0; 16]; packets.len()];
    for _ in 0..times {
        timed(&mut sealed, || -> Result<()> {
            for ((number, packet), tag) in (0u32..).zip(packets.iter_mut()).zip(&mut tags) {
                seals.encrypt_init(None, None, Some(&nonce(number)))?;
                let length = packet.len();
                seals.cipher_update_inplace(packet, length)?;
                seals.cipher_final(&mut [])?;
                seals.tag(tag)?;
            }
            Ok(())
        })?;
        timed(&mut opened, || -> Result<()> {
            for ((number, packet), tag) in (0u32..).zip(packets.iter_mut()).zip(&tags) {
                opens.decrypt_init(None, None, Some(&nonce(number)))?;
                opens.set_tag(tag)?;
                let length = packet.len();
                opens.cipher_update_inplace(packet, length)?;
                opens.cipher_final(&mut [])?;
                black_box(&packet);
            }
            Ok(())
        })?;
    }
    Ok([opened, sealed])
}

/// A body as uploads and readings have it. Sealing, then opening.
fn age(plain: &[u8], piece: usize, times: usize) -> Result<[Taken; 2]> {
    let random = SystemRandom::new();
    let (mut sealed, mut opened) = (Taken::default(), Taken::default());
    for _ in 0..times {
        let key = FileKey::generate(&random)?;
        let mut writer = BodyWriter::create(&key, &random)?;
        let size = usize::try_from(body::body_bytes(plain.len() as u64))?;
        let mut whole = Vec::with_capacity(size);
        whole.extend_from_slice(writer.prefix());
        // As an upload does: what a segment gives is one buffer, which is written and used again.
        let mut out = Vec::with_capacity(SEGMENT + 2 * 64 * KIB);
        for piece in plain.chunks(piece) {
            out.clear();
            timed(&mut sealed, || writer.push(piece, &mut out))?;
            whole.extend_from_slice(&out);
        }
        writer.finish(&mut whole)?;
        let mut reader = BodyReader::open(&key, whole)?;
        let mut buffer = vec![0; piece];
        timed(&mut opened, || {
            (0..plain.len()).step_by(piece).try_for_each(|offset| {
                reader.read_at(offset as u64, &mut buffer).map(|read| {
                    black_box(read);
                })
            })
        })?;
    }
    Ok([sealed, opened])
}

// --- files and the network --------------------------------------------------------------------------------------------

const BUFFERED: &str = "write, buffered";
const SYNCED: &str = "write, buffered, and fdatasync";
const DIRECT: &str = "write, O_DIRECT, and fdatasync";
const READ: &str = "read, from the page cache";
const FILES: [&str; 4] = [BUFFERED, SYNCED, DIRECT, READ];
const SENT: &str = "loopback, sender";
const RECEIVED: &str = "loopback, receiver";
const ANSWERED: &str = "loopback, receiver that answers";
/// Plaintext of one WRITE, as OpenSSH's client sends it, and how many of them it has under way.
const WRITE_BYTES: usize = 32 * KIB;
const WINDOW: usize = 64;
/// A STATUS in its packet, without length and tag.
const ANSWER_BYTES: usize = 48;

fn files(options: &Options, store: &str, folder: &Path, floors: &mut Floors) -> Result<()> {
    let made = tempfile::Builder::new().prefix("pieces").tempdir_in(folder)?;
    let path = made.path().join("file");
    let stock = stock(STOCK + PAGE);
    // Where a direct write may begin.
    let from = stock.as_ptr().align_offset(PAGE);
    let plain = stock.get(from..from + STOCK).ok_or("no aligned memory")?;
    let times = (options.size_mb * 1_000_000 / STOCK).max(1);
    let bytes = times * STOCK;
    for (what, direct, sync) in [
        (BUFFERED, false, false),
        (SYNCED, false, true),
        (DIRECT, true, true),
    ] {
        let flags = if direct { OFlags::DIRECT.bits() } else { 0 };
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .custom_flags(i32::try_from(flags)?)
            .open(&path);
        let mut file = match file {
            // Memory-backed stores may know nothing of it.
            Err(error) if direct && error.kind() == std::io::ErrorKind::InvalidInput => continue,
            other => other?,
        };
        let mut taken = Taken::default();
        timed(&mut taken, || -> std::io::Result<()> {
            for piece in (0..times).flat_map(|_| plain.chunks(SEGMENT)) {
                file.write_all(piece)?;
            }
            if sync { file.sync_data() } else { Ok(()) }
        })?;
        floors.add(&format!("{what}, {store}"), SEGMENT, taken, bytes);
        if what == SYNCED {
            let mut file = File::open(&path)?;
            let mut buffer = vec![0; SEGMENT];
            let mut taken = Taken::default();
            timed(&mut taken, || -> std::io::Result<()> {
                while file.read(&mut buffer)? > 0 {
                    black_box(&buffer);
                }
                Ok(())
            })?;
            floors.add(&format!("{READ}, {store}"), SEGMENT, taken, bytes);
        }
        // What the system still has to write mustn't be in the way of the next one.
        file.sync_data()?;
        drop(file);
        fs::remove_file(&path)?;
    }
    Ok(())
}

/// A peer in a thread of its own, and this side's end of the connection to it.
fn connected<T: Send + 'static>(
    peer: impl FnOnce(TcpStream) -> Result<T> + Send + 'static,
) -> Result<(TcpStream, JoinHandle<Result<T>>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let peer = thread::spawn(move || {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        peer(stream)
    });
    let (stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    Ok((stream, peer))
}

fn loopback(options: &Options, piece: usize, floors: &mut Floors) -> Result<()> {
    let bytes = options.size_mb * 2 * 1_000_000 / piece * piece;
    let (mut stream, sender) = connected(move |mut stream| {
        let plain = stock(piece);
        let mut taken = Taken::default();
        timed(&mut taken, || {
            (0..bytes / piece).try_for_each(|_| stream.write_all(&plain))
        })?;
        Ok(taken)
    })?;
    let mut buffer = vec![0; piece];
    let mut taken = Taken::default();
    let mut left = bytes;
    timed(&mut taken, || -> std::io::Result<()> {
        while left > 0 {
            left -= match stream.read(&mut buffer)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                read => read,
            };
        }
        Ok(())
    })?;
    floors.add(RECEIVED, piece, taken, bytes);
    let sent = sender.join().map_err(|_| "the sender failed")??;
    floors.add(SENT, piece, sent, bytes);
    Ok(())
}

/// Pieces of the size of a WRITE, each answered, from a sender that has no more than [`WINDOW`] unanswered. What it costs to seal an answer
/// is measured apart, cipher by cipher.
fn answering(options: &Options, floors: &mut Floors) -> Result<()> {
    const ON_THE_WIRE: usize = 4 + ANSWER_BYTES + 16;
    let writes = options.size_mb * 1_000_000 / WRITE_BYTES;
    let (mut stream, sender) = connected(move |mut stream| {
        let plain = stock(WRITE_BYTES);
        let mut answers = [0; WINDOW * ON_THE_WIRE];
        let (mut sent, mut heard) = (0, 0);
        while heard < writes * ON_THE_WIRE {
            while sent < writes && sent - heard / ON_THE_WIRE < WINDOW {
                stream.write_all(&plain)?;
                sent += 1;
            }
            heard += match stream.read(&mut answers)? {
                0 => return Err("no more answers".into()),
                read => read,
            };
        }
        Ok(())
    })?;
    let mut buffer = vec![0; SEGMENT];
    let answers = vec![0; SEGMENT / WRITE_BYTES * ON_THE_WIRE + ON_THE_WIRE];
    let mut taken = Taken::default();
    let mut received = 0;
    timed(&mut taken, || -> Result<()> {
        while received < writes * WRITE_BYTES {
            let whole = received / WRITE_BYTES;
            received += match stream.read(&mut buffer)? {
                0 => return Err("no more pieces".into()),
                read => read,
            };
            let answered = (received / WRITE_BYTES - whole) * ON_THE_WIRE;
            stream.write_all(answers.get(..answered).unwrap_or_default())?;
        }
        Ok(())
    })?;
    floors.add(ANSWERED, WRITE_BYTES, taken, writes * WRITE_BYTES);
    sender.join().map_err(|_| "the sender failed")??;

    let plain = stock(ANSWER_BYTES * 16 * KIB);
    for (cipher, algorithm) in [("aes256-gcm", &AES_256_GCM), ("aes128-gcm", &AES_128_GCM)] {
        let [_, sealed] = by_ring(algorithm, &plain, ANSWER_BYTES, 1)?;
        floors.add(&format!("{cipher}, seal"), ANSWER_BYTES, sealed, plain.len());
    }
    let [_, sealed] = chacha(&plain, ANSWER_BYTES, 1)?;
    floors.add("chacha20, seal", ANSWER_BYTES, sealed, plain.len());
    Ok(())
}

// --- a small file -------------------------------------------------------------------------------------------------------

/// Milliseconds of processor time for one file, a round each.
type Small = BTreeMap<&'static str, Vec<f64>>;

const SMALL_BYTES: usize = 64 * KIB;
/// Uploads that are committed in one transaction where eight sessions send.
const GROUP: usize = 8;
/// Bytes of what an upload that waits leaves besides its body, as the bench's have them: its record, a header, its sidecar.
const LEFT_BYTES: [usize; 3] = [705, 266, 617];

const PACKETS: &str = "its packets received and opened (aes256-gcm)";
const ASKED: &str = "STAT, OPEN, WRITE and CLOSE each awaited and answered";
/// Requests of a file that its client waits for.
const REQUESTS: usize = 4;
const CONTENT: &str = "SHA-256, age body and BLAKE3";
const HEADER: &str = "a header for two recipients";
const COMMITTED: &str = "eight rows in a transaction of eight uploads";
const MADE: &str = "four files made in memory: body, record, header, sidecar";

fn small_files(options: &Options, small: &mut Small) -> Result<()> {
    let files = options.size_mb;
    let mut add = |what, taken: Taken, count: usize| {
        let each = taken.cpu.as_secs_f64() * 1e3 / count as f64;
        small.entry(what).or_default().push(each);
    };
    add(ASKED, asked(files * REQUESTS)?, files);
    let random = SystemRandom::new();
    let plain = stock(SMALL_BYTES);
    let recipients = [Identity::generate().recipient(), Identity::generate().recipient()];
    let recipients = Recipients::new(&recipients)?;
    let (mut content, mut wrapped) = (Taken::default(), Taken::default());
    for _ in 0..files {
        timed(&mut content, || -> Result<()> {
            let mut context = Context::new(&SHA256);
            context.update(&plain);
            black_box(context.finish());
            let body = body::seal(&FileKey::generate(&random)?, &random, &plain)?;
            let mut stored = StoredDigest::new();
            stored.update(&body);
            black_box(stored.finish());
            Ok(())
        })?;
        let key = FileKey::generate(&random)?;
        timed(&mut wrapped, || header::wrap(&key, &recipients)).map(black_box)?;
    }
    add(CONTENT, content, files);
    add(HEADER, wrapped, files);

    let folder = tempfile::Builder::new()
        .prefix("pieces")
        .tempdir_in(&options.memory)?;
    let catalogue = rusqlite::Connection::open(folder.path().join("catalogue"))?;
    catalogue.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE part (kind INTEGER NOT NULL, id TEXT NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;",
    )?;
    let bytes = stock(800);
    let mut committed = Taken::default();
    for group in 0..files.div_ceil(GROUP) {
        timed(&mut committed, || -> rusqlite::Result<()> {
            let transaction = catalogue.unchecked_transaction()?;
            let mut insert = transaction.prepare_cached("INSERT INTO part VALUES (?, ?, ?)")?;
            for (upload, row) in (0..GROUP).flat_map(|upload| (0..8u8).map(move |row| (upload, row))) {
                let size = LEFT_BYTES.get(usize::from(row)).copied().unwrap_or(64);
                let id = format!("{:026}", group * GROUP + upload);
                insert.execute((row, id, bytes.get(..size)))?;
            }
            drop(insert);
            transaction.commit()
        })?;
    }
    add(COMMITTED, committed, files.div_ceil(GROUP) * GROUP);

    let mut made = Taken::default();
    for number in 0..files {
        timed(&mut made, || -> std::io::Result<()> {
            for (kind, size) in [SMALL_BYTES].into_iter().chain(LEFT_BYTES).enumerate() {
                let path = folder.path().join(format!("{number}.{kind}"));
                let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
                file.write_all(plain.get(..size).unwrap_or_default())?;
            }
            Ok(())
        })?;
    }
    add(MADE, made, files);
    Ok(())
}

/// What it takes to wait for so many small requests, one after the other, and to answer them.
fn asked(requests: usize) -> Result<Taken> {
    let (mut stream, client) = connected(move |mut stream| {
        let mut answer = [0; ANSWER_BYTES];
        for _ in 0..requests {
            stream.write_all(&answer)?;
            stream.read_exact(&mut answer)?;
        }
        Ok(())
    })?;
    let mut request = [0; ANSWER_BYTES];
    let mut taken = Taken::default();
    timed(&mut taken, || -> std::io::Result<()> {
        (0..requests).try_for_each(|_| {
            stream.read_exact(&mut request)?;
            stream.write_all(&request)
        })
    })?;
    client.join().map_err(|_| "the client failed")??;
    Ok(taken)
}

/// Receiving and opening are of the sums above, by the size of a file.
fn print_small(small: &Small, floors: &Floors) {
    let packets = (floors.cpu(RECEIVED, 32 * KIB) + floors.cpu("aes256-gcm, open", 32 * KIB))
        * SMALL_BYTES as f64
        / 1e6;
    println!();
    println!("| a file of 64 KiB that waits | CPU ms |");
    println!("|---|---|");
    let mut sum = packets;
    println!("| {PACKETS} | {packets:.3} |");
    for what in [ASKED, CONTENT, HEADER, COMMITTED, MADE] {
        let each = median(small.get(what).cloned().unwrap_or_default());
        sum += each;
        println!("| {what} | {each:.3} |");
    }
    println!("| together | {sum:.3} |");
}
