use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::sftp::codec::{FrameError, packet_type as t};
use crate::sftp::limits::*;
use crate::sftp::testing::{Memory, key};

/// Request bytes, for tests only.
#[derive(Default)]
struct Packets(Vec<u8>);

impl Packets {
    fn add(mut self, kind: u8, id: u32, body: &[&[u8]]) -> Self {
        let body = body.concat();
        self.0
            .extend(u32::try_from(body.len() + 5).unwrap().to_be_bytes());
        self.0.push(kind);
        self.0.extend(id.to_be_bytes());
        self.0.extend(body);
        self
    }

    fn init(self) -> Self {
        self.add(t::INIT, 3, &[])
    }

    fn open(self, id: u32, path: &str, flags: u32) -> Self {
        self.add(
            t::OPEN,
            id,
            &[&string(path.as_bytes()), &flags.to_be_bytes(), &[0; 4]],
        )
    }

    fn write(self, id: u32, handle: u64, offset: u64, data: &[u8]) -> Self {
        self.add(
            t::WRITE,
            id,
            &[&wire_handle(handle), &offset.to_be_bytes(), &string(data)],
        )
    }

    fn read(self, id: u32, handle: u64, offset: u64, length: u32) -> Self {
        self.add(
            t::READ,
            id,
            &[&wire_handle(handle), &offset.to_be_bytes(), &length.to_be_bytes()],
        )
    }

    fn close(self, id: u32, handle: u64) -> Self {
        self.add(t::CLOSE, id, &[&wire_handle(handle)])
    }

    fn path(self, kind: u8, id: u32, path: &str) -> Self {
        self.add(kind, id, &[&string(path.as_bytes())])
    }
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

fn wire_handle(handle: u64) -> Vec<u8> {
    string(&handle.to_be_bytes())
}

const CREATE: u32 = 0x02 | 0x08 | 0x10;
const READ: u32 = 0x01;

/// Takes all that is sent; deaf when told so.
#[derive(Default)]
struct Sink {
    bytes: Vec<u8>,
    deaf: bool,
}

impl Outlet for Sink {
    fn send(&mut self, packets: Bytes) -> Result<(), PeerGone> {
        self.bytes.extend(packets);
        Ok(())
    }

    fn is_deaf(&self) -> bool {
        self.deaf
    }
}

/// Replies by id: type and body after the id.
fn replies(mut bytes: &[u8]) -> HashMap<u32, (u8, Vec<u8>)> {
    let mut all = HashMap::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (packet, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        bytes = rest;
        if packet[0] == t::VERSION {
            continue;
        }
        let id = u32::from_be_bytes(packet[1..5].try_into().unwrap());
        assert!(
            all.insert(id, (packet[0], packet[5..].to_vec())).is_none(),
            "two replies to {id}"
        );
    }
    all
}

fn status(reply: &(u8, Vec<u8>)) -> (u32, String) {
    assert_eq!(reply.0, t::STATUS);
    let length = u32::from_be_bytes(reply.1[4..8].try_into().unwrap()) as usize;
    let words = String::from_utf8(reply.1[8..8 + length].to_vec()).unwrap();
    (u32::from_be_bytes(reply.1[..4].try_into().unwrap()), words)
}

struct Bench {
    memory: Memory,
    workers: Workers,
    front: Front,
    outbox: Outbox,
    sink: Sink,
}

impl Bench {
    fn new() -> Bench {
        let memory = Memory::default();
        let workers = Workers::new(tokio::runtime::Handle::current());
        let (front, outbox) = start(memory.space(), &workers);
        Bench {
            memory,
            workers,
            front,
            outbox,
            sink: Sink::default(),
        }
    }

    async fn feed(&mut self, packets: Packets) -> Result<(), ProtocolError> {
        self.front.feed(&packets.0, &mut self.sink).await
    }

    /// Waits for the worker's next replies.
    async fn reply(&mut self) -> u8 {
        let batch = self.outbox.next().await.unwrap();
        let kind = batch[4];
        self.sink.bytes.extend(batch);
        kind
    }

    /// Ends the input and gathers every reply.
    async fn answers(mut self) -> (HashMap<u32, (u8, Vec<u8>)>, Memory) {
        self.front.finish();
        while let Some(batch) = self.outbox.next().await {
            self.sink.bytes.extend(batch);
        }
        self.workers.finish().await;
        (replies(&self.sink.bytes), self.memory.clone())
    }
}

fn run<F: Future>(test: impl FnOnce() -> F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    // Blocking threads are named by the same setting; the main test thread drives the futures.
    let runtime = builder
        .worker_threads(2)
        .thread_name("pool")
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(30), test())
            .await
            .expect("hangs")
    })
}

#[test]
fn a_file_goes_up_and_comes_down() {
    run(|| async {
        let mut bench = Bench::new();
        let data: Vec<u8> = (0..700_000u32).map(|n| (n % 251) as u8).collect();
        bench
            .feed(Packets::default().init().open(1, "/a", CREATE))
            .await
            .unwrap();
        assert_eq!(bench.reply().await, t::HANDLE);
        let mut packets = Packets::default();
        for (n, piece) in data.chunks(32_000).enumerate() {
            packets = packets.write(100 + n as u32, 1, n as u64 * 32_000, piece);
        }
        let last = packets
            .close(2, 1)
            .open(3, "/a", READ)
            .read(4, 2, 0, 255 * 1024)
            .read(5, 2, 700_000, 10);
        for piece in last.0.chunks(32_768) {
            bench.front.feed(piece, &mut bench.sink).await.unwrap();
        }
        let (replies, memory) = bench.answers().await;
        for n in 0..22 {
            assert_eq!(status(&replies[&(100 + n)]), (0, String::new()));
        }
        assert_eq!(memory.file("/a").unwrap(), data);
        assert_eq!(memory.tree().closed, [key("/a")]);
        assert_eq!(
            memory.tree().runs,
            [64 * 1024, 256 * 1024, 256 * 1024, 700_000 - 576 * 1024]
        );
        assert_eq!(replies[&4].1[4..], data[..255 * 1024]);
        assert_eq!(status(&replies[&5]).0, 1);
    });
}

#[test]
fn writes_out_of_order_and_interleaved_end_up_in_place() {
    run(|| async {
        let mut bench = Bench::new();
        bench
            .feed(
                Packets::default()
                    .init()
                    .open(1, "/a", CREATE)
                    .open(2, "/b", CREATE),
            )
            .await
            .unwrap();
        while bench.memory.tree().files.len() < 2 {
            tokio::task::yield_now().await;
        }
        bench.reply().await;
        let packets = Packets::default()
            .write(10, 1, 4, b"EFGH")
            .write(11, 2, 0, b"12")
            .write(12, 1, 0, b"ABCD")
            .write(13, 2, 2, b"34")
            .add(t::FSTAT, 14, &[&wire_handle(1)])
            .write(15, 1, 2, b"cd")
            .close(16, 1)
            .close(17, 2);
        bench.feed(packets).await.unwrap();
        let (replies, memory) = bench.answers().await;
        assert_eq!(memory.file("/a").unwrap(), b"ABcdEFGH");
        assert_eq!(memory.file("/b").unwrap(), b"1234");
        assert_eq!(
            replies[&14].1[4..12],
            8u64.to_be_bytes(),
            "FSTAT sees what was written before it"
        );
    });
}

#[test]
fn a_failed_write_sticks_until_close() {
    run(|| async {
        let mut bench = Bench::new();
        bench.memory.tree().disk_full_at = Some(100_000);
        bench
            .feed(Packets::default().init().open(1, "/a", CREATE))
            .await
            .unwrap();
        bench.reply().await;
        bench
            .feed(
                Packets::default()
                    .write(2, 1, 99_999, &[7; 1000])
                    .add(t::FSTAT, 3, &[&wire_handle(1)]),
            )
            .await
            .unwrap();
        bench.reply().await;
        bench
            .feed(Packets::default().write(4, 1, 0, b"later").close(5, 1))
            .await
            .unwrap();
        let (replies, memory) = bench.answers().await;
        assert_eq!(
            status(&replies[&2]).0,
            0,
            "it was taken before the disk was known to be full"
        );
        let words = "the disk is full; try again later".to_owned();
        assert_eq!(status(&replies[&4]), (4, words.clone()));
        assert_eq!(status(&replies[&5]), (4, words));
        assert_eq!(memory.tree().parked.len(), 1);
    });
}

#[test]
fn malformed_requests_are_answered_with_their_id_and_the_channel_lives() {
    run(|| async {
        let mut bench = Bench::new();
        let packets = Packets::default()
            .init()
            .add(t::OPEN, 1, &[&[0, 0, 1, 0, b'x']])
            .add(t::CLOSE, 2, &[&string(b"not ours")])
            .add(t::WRITE, 3, &[&string(b"odd"), &[0; 8], &string(b"payload")])
            .write(4, 99, 0, b"payload")
            .add(77, 5, &[b"what"])
            .add(t::EXTENDED, 6, &[&string(b"unheard-of@example.org"), b"data"])
            .add(t::READLINK, 7, &[&string(b"/")])
            .add(t::SYMLINK, 8, &[&string(b"/a"), &string(b"/b")])
            .write(9, 1, u64::MAX - 1, b"past the end")
            .add(
                t::EXTENDED,
                10,
                &[&string(b"hardlink@openssh.com"), &string(b"/a"), &string(b"/b")],
            )
            .path(t::REALPATH, 11, "a/../b");
        bench.feed(packets).await.unwrap();
        let (replies, _) = bench.answers().await;
        let codes: Vec<u32> = (1..=10).map(|id| status(&replies[&id]).0).collect();
        assert_eq!(codes, [5, 4, 4, 4, 8, 8, 8, 8, 4, 8]);
        assert!(status(&replies[&9]).1.contains("2^63"));
        assert_eq!(replies[&11].0, t::NAME);
    });
}

#[test]
fn writes_past_the_last_offset_are_refused() {
    run(|| async {
        let mut bench = Bench::new();
        bench
            .feed(Packets::default().init().open(1, "/a", CREATE))
            .await
            .unwrap();
        bench.reply().await;
        let packets = Packets::default()
            .write(2, 1, MAX_OFFSET, b"x")
            .write(3, 1, u64::MAX, b"xyz")
            .write(4, 1, 0, b"fine")
            .read(5, 1, u64::MAX, 4);
        bench.feed(packets).await.unwrap();
        let (replies, memory) = bench.answers().await;
        assert_eq!([2, 3, 4, 5].map(|id| status(&replies[&id]).0), [4, 4, 0, 1]);
        assert_eq!(memory.file("/a").unwrap(), b"fine");
    });
}

#[test]
fn what_breaks_the_stream_ends_the_channel() {
    run(|| async {
        for (bytes, expected) in [
            (vec![0xff; 9], ProtocolError::Frame(FrameError::TooLong(u32::MAX))),
            (vec![0, 0, 0, 0, 0], ProtocolError::Frame(FrameError::Empty)),
            (Packets::default().path(t::STAT, 1, "/").0, ProtocolError::Version),
            (Packets::default().write(1, 1, 0, b"x").0, ProtocolError::Version),
            (Packets::default().init().init().0, ProtocolError::Version),
            (vec![0, 0, 0, 2, t::STAT, 1], ProtocolError::NoId),
        ] {
            let mut bench = Bench::new();
            assert_eq!(bench.front.feed(&bytes, &mut bench.sink).await, Err(expected));
        }
    });
}

#[test]
fn a_flood_of_handles_ends_in_words() {
    run(|| async {
        let mut bench = Bench::new();
        let mut packets = Packets::default().init();
        for id in 1..=5000 {
            packets = packets.open(id, &format!("/{id}"), CREATE);
        }
        bench.feed(packets).await.unwrap();
        let (replies, memory) = bench.answers().await;
        assert_eq!(
            replies.values().filter(|reply| reply.0 == t::HANDLE).count(),
            MAX_HANDLES
        );
        assert!(status(&replies[&5000]).1.contains("too many open files"));
        assert_eq!(memory.tree().parked.len(), MAX_HANDLES);
    });
}

#[test]
fn the_front_waits_for_a_slow_disk_and_no_longer() {
    run(|| async {
        let mut bench = Bench::new();
        bench
            .feed(Packets::default().init().open(1, "/a", CREATE))
            .await
            .unwrap();
        bench.reply().await;
        bench.memory.hold(true);
        let memory = bench.memory.clone();
        let mut packets = Packets::default();
        for n in 0..300u32 {
            packets = packets.write(10 + n, 1, u64::from(n) * 60_000, &[n as u8; 60_000]);
        }
        let mut feeding = Box::pin(bench.feed(packets.close(2, 1)));
        let waiting = tokio::time::timeout(Duration::from_millis(300), &mut feeding).await;
        assert!(waiting.is_err(), "18 MB are taken in while the disk stands still");
        memory.hold(false);
        feeding.await.unwrap();
        let (replies, memory) = bench.answers().await;
        assert_eq!(replies.len(), 302);
        assert_eq!(memory.file("/a").unwrap().len(), 18_000_000);
    });
}

#[test]
fn a_peer_that_takes_no_answers_blocks_nobody_and_is_cut_off_in_the_end() {
    run(|| async {
        let mut bench = Bench::new();
        bench.memory.tree().files.insert(key("/a"), vec![1; 300_000]);
        bench
            .feed(Packets::default().init().open(1, "/a", READ))
            .await
            .unwrap();
        bench.sink.deaf = true;
        let mut outcome = Ok(());
        let mut sent = 0;
        while outcome.is_ok() && sent < 1_000_000 {
            let mut packets = Packets::default();
            for _ in 0..1000 {
                sent += 1;
                packets = packets.read(sent, 1, 0, 255 * 1024);
            }
            outcome = bench.feed(packets).await;
        }
        assert_eq!(outcome, Err(ProtocolError::Flood));
        assert!(sent as usize >= QUEUE_BYTES_HARD / REQUEST_COST_BYTES, "{sent}");
    });
}

#[test]
fn a_lost_connection_parks_what_was_acknowledged_and_still_closes_what_was_asked() {
    run(|| async {
        let mut bench = Bench::new();
        bench
            .feed(
                Packets::default()
                    .init()
                    .open(1, "/a", CREATE)
                    .open(2, "/b", CREATE),
            )
            .await
            .unwrap();
        while bench.memory.tree().files.len() < 2 {
            tokio::task::yield_now().await;
        }
        let control = bench.outbox.control();
        bench
            .feed(
                Packets::default()
                    .write(3, 1, 0, b"half")
                    .write(4, 2, 0, b"whole")
                    .close(5, 2),
            )
            .await
            .unwrap();
        assert!(!control.is_idle());
        let Bench {
            memory,
            workers,
            front,
            ..
        } = bench;
        drop(front);
        workers.finish().await;
        assert!(control.is_idle());
        let tree = memory.tree();
        assert_eq!(tree.parked, [(key("/a"), 4)]);
        assert_eq!(tree.closed, [key("/b")]);
        assert_eq!(tree.spaces_dropped, 1);
        assert!(
            !tree.dropped_on.contains(&std::thread::current().id()),
            "dropping may block"
        );
    });
}

#[test]
fn a_revoked_person_gets_nothing_more_but_keeps_what_was_acknowledged() {
    run(|| async {
        let mut bench = Bench::new();
        bench
            .feed(Packets::default().init().open(1, "/a", CREATE))
            .await
            .unwrap();
        bench.reply().await;
        bench
            .feed(Packets::default().write(2, 1, 0, b"kept"))
            .await
            .unwrap();
        bench.outbox.control().revoke();
        bench
            .feed(Packets::default().close(3, 1).path(t::REMOVE, 4, "/a"))
            .await
            .unwrap();
        let (replies, memory) = bench.answers().await;
        assert!(!replies.contains_key(&3) && !replies.contains_key(&4));
        assert_eq!(memory.file("/a").unwrap(), b"kept");
        assert_eq!(memory.tree().parked, [(key("/a"), 4)]);
        assert!(memory.tree().closed.is_empty());
    });
}

#[test]
fn listings_come_in_pages_and_extensions_answer() {
    run(|| async {
        let mut bench = Bench::new();
        for n in 0..300 {
            bench
                .memory
                .tree()
                .files
                .insert(key(&format!("/{n:03}")), vec![0; n]);
        }
        let whole = [0u8; 16];
        let packets = Packets::default()
            .init()
            .path(t::OPENDIR, 1, "/")
            .add(t::READDIR, 2, &[&wire_handle(1)])
            .add(t::READDIR, 3, &[&wire_handle(1)])
            .add(t::READDIR, 4, &[&wire_handle(1)])
            .add(t::READDIR, 5, &[&wire_handle(1)])
            .add(t::EXTENDED, 6, &[&string(b"limits@openssh.com")])
            .add(t::EXTENDED, 7, &[&string(b"statvfs@openssh.com"), &string(b"/")])
            .add(
                t::EXTENDED,
                8,
                &[&string(b"expand-path@openssh.com"), &string(b"~/x")],
            )
            .add(
                t::EXTENDED,
                9,
                &[
                    &string(b"check-file-name"),
                    &string(b"/000"),
                    &string(b"md5,sha256"),
                    &whole,
                    &[0; 4],
                ],
            )
            .add(
                t::EXTENDED,
                10,
                &[
                    &string(b"posix-rename@openssh.com"),
                    &string(b"/001"),
                    &string(b"/002"),
                ],
            )
            .add(t::RENAME, 11, &[&string(b"/003"), &string(b"/004")]);
        bench.feed(packets).await.unwrap();
        let (replies, memory) = bench.answers().await;
        let rows: Vec<u32> = [2, 3, 4]
            .map(|id| u32::from_be_bytes(replies[&id].1[..4].try_into().unwrap()))
            .to_vec();
        assert_eq!(rows, [128, 128, 44]);
        assert_eq!(status(&replies[&5]).0, 1);
        assert_eq!(replies[&6].1[8..16], 261_120u64.to_be_bytes());
        assert_eq!(replies[&7].1.len(), 88);
        assert_eq!(&replies[&8].1[8..10], b"/x");
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let digest: String = replies[&9].1[24..]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(digest, empty);
        assert_eq!(status(&replies[&10]).0, 0);
        assert_eq!(status(&replies[&11]).0, 4);
        assert_eq!(memory.file("/002").unwrap().len(), 1);
    });
}

#[test]
fn a_defect_in_the_space_ends_the_channel_and_nothing_else() {
    run(|| async {
        let mut bench = Bench::new();
        bench
            .feed(Packets::default().init().open(1, "/a", CREATE))
            .await
            .unwrap();
        bench.reply().await;
        bench
            .feed(
                Packets::default()
                    .write(2, 1, 0, b"kept")
                    .path(t::STAT, 3, "/defect"),
            )
            .await
            .unwrap();
        while !bench.outbox.control().has_ended() {
            tokio::task::yield_now().await;
        }
        assert_eq!(
            bench.feed(Packets::default().path(t::STAT, 4, "/")).await,
            Err(ProtocolError::Ended)
        );
        let (replies, memory) = bench.answers().await;
        assert!(!replies.contains_key(&3));
        assert_eq!(memory.tree().parked, [(key("/a"), 4)]);
    });
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    /// Whatever is asked, each request that can be told apart is answered once, and the channel comes to its end.
    #[test]
    fn random_requests_are_all_answered(
        requests in proptest::collection::vec(
            (3u8..=20, proptest::collection::vec(0u8..4, 0..40), proptest::bool::ANY), 1..60,
        ),
    ) {
        run(|| async {
            let mut bench = Bench::new();
            let mut packets = Packets::default().init();
            for (n, (kind, body, with_handle)) in requests.iter().enumerate() {
                let prefix = if *with_handle { wire_handle(1 + n as u64 % 3) } else { string(b"/a") };
                packets = packets.add(*kind, n as u32, &[&prefix, body]);
            }
            for piece in packets.0.chunks(97) {
                bench.front.feed(piece, &mut bench.sink).await.unwrap();
            }
            let (replies, memory) = bench.answers().await;
            assert_eq!(replies.len(), requests.len());
            assert_eq!(memory.tree().spaces_dropped, 1);
        });
    }
}
