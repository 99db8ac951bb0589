use proptest::prelude::*;

use super::wire::Put;
use super::*;
use crate::sftp::limits::{MAX_CONTROL_PACKET_BYTES, MAX_PACKET_BYTES};
use crate::sftp::space::{Attributes, Entry};

fn framed(kind: u8, id: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_u32(5 + u32::try_from(body.len()).unwrap());
    out.push(kind);
    out.put_u32(id);
    out.extend_from_slice(body);
    out
}

fn write_packet(id: u32, handle: u64, offset: u64, data: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    body.put_string(&handle.to_be_bytes());
    body.put_u64(offset);
    body.put_string(data);
    framed(packet_type::WRITE, id, &body)
}

fn any_attributes() -> impl Strategy<Value = Attributes> {
    (
        any::<Option<u64>>(),
        any::<Option<(u32, u32)>>(),
        any::<Option<u32>>(),
        any::<Option<(u32, u32)>>(),
    )
        .prop_map(|(size_bytes, uid_gid, permissions, atime_mtime)| Attributes {
            size_bytes,
            uid_gid,
            permissions,
            atime_mtime,
        })
}

proptest! {
    #[test]
    fn any_bytes_decode_the_same_however_they_are_sliced(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        fuzz_decode(&bytes);
    }

    #[test]
    fn valid_streams_decode_the_same_however_they_are_sliced(
        writes in proptest::collection::vec((any::<u32>(), any::<u64>(), proptest::collection::vec(any::<u8>(), 0..80)), 1..6),
        paths in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..6),
    ) {
        let mut stream = vec![];
        for (id, offset, data) in &writes {
            stream.extend(write_packet(*id, 7, *offset, data));
        }
        for path in &paths {
            let mut body = Vec::new();
            body.put_string(path);
            stream.extend(framed(packet_type::STAT, 9, &body));
        }
        let whole = decode_in_pieces(&stream, stream.len());
        for step in 1..40 {
            prop_assert_eq!(&whole, &decode_in_pieces(&stream, step));
        }
        prop_assert_eq!(whole.0.len(), writes.len() * 2 + paths.len());
        prop_assert!(!whole.1);
    }

    /// Damaged streams get further into the decoder than random bytes do.
    #[test]
    fn damaged_streams_decode_the_same_however_they_are_sliced(
        kinds in proptest::collection::vec((1u8..=21, proptest::collection::vec(any::<u8>(), 0..30)), 1..8),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), 0u8..16), 0..4),
        extended: bool,
    ) {
        let mut stream = Vec::new();
        for (id, (kind, body)) in kinds.iter().enumerate() {
            let kind = if extended && *kind == 21 { packet_type::EXTENDED } else { *kind };
            let mut prefix = Vec::new();
            prefix.put_string(if kind == packet_type::EXTENDED { b"check-file" } else { &[0; 8] });
            stream.extend(framed(kind, id as u32, &[&prefix[..], body].concat()));
            stream.extend(write_packet(id as u32, 7, 0, body));
        }
        for (place, value) in damage {
            let place = place.index(stream.len());
            stream[place] = value;
        }
        let whole = decode_in_pieces(&stream, stream.len());
        for step in 1..60 {
            prop_assert_eq!(&whole, &decode_in_pieces(&stream, step));
        }
    }

    #[test]
    fn attributes_come_back(attributes in any_attributes(), path in proptest::collection::vec(any::<u8>(), 0..100), id: u32) {
        let mut body = Vec::new();
        body.put_string(&path);
        super::attributes::encode(&attributes, &mut body);
        let packet = framed(packet_type::SETSTAT, id, &body);
        let decoded = Request::decode(&packet[4..]).unwrap();
        prop_assert_eq!(decoded, (id, Request::Setstat { path: &path, attributes }));
    }

    #[test]
    fn every_cut_of_a_request_is_a_bad_request_with_its_id(cut in 5usize..40, id: u32) {
        let mut body = Vec::new();
        body.put_string(&8u64.to_be_bytes());
        body.put_u64(3);
        body.put_u32(4);
        let packet = framed(packet_type::READ, id, &body);
        let packet = &packet[4..];
        prop_assume!(cut < packet.len());
        prop_assert_eq!(Request::decode(&packet[..cut]), Err(BadRequest { id: Some(id) }));
    }
}

#[test]
fn every_request_is_read() {
    let path = |path: &[u8]| {
        let mut body = Vec::new();
        body.put_string(path);
        body
    };
    let two = |a: &[u8], b: &[u8]| [path(a), path(b)].concat();
    let handle = || path(&5u64.to_be_bytes());
    let none = 0u32.to_be_bytes();
    let attributes = Attributes::default();
    let check = [
        path(b"check-file-name"),
        path(b"/x"),
        path(b"sha256"),
        0u64.to_be_bytes().to_vec(),
        0u64.to_be_bytes().to_vec(),
        0u32.to_be_bytes().to_vec(),
    ]
    .concat();
    let cases: Vec<(u8, Vec<u8>, Request<'_>)> = vec![
        (
            packet_type::OPEN,
            [path(b"/a"), 0x1au32.to_be_bytes().to_vec(), none.to_vec()].concat(),
            Request::Open {
                path: b"/a",
                flags: OpenFlags(0x1a),
                attributes: attributes.clone(),
            },
        ),
        (packet_type::CLOSE, handle(), Request::Close { handle: Handle(5) }),
        (
            packet_type::CLOSE,
            path(b"other"),
            Request::Close { handle: Handle::NONE },
        ),
        (packet_type::LSTAT, path(b"/a"), Request::Lstat { path: b"/a" }),
        (packet_type::STAT, path(b"/a"), Request::Stat { path: b"/a" }),
        (packet_type::FSTAT, handle(), Request::Fstat { handle: Handle(5) }),
        (
            packet_type::FSETSTAT,
            [handle(), none.to_vec()].concat(),
            Request::Fsetstat {
                handle: Handle(5),
                attributes: attributes.clone(),
            },
        ),
        (packet_type::OPENDIR, path(b"/"), Request::Opendir { path: b"/" }),
        (
            packet_type::READDIR,
            handle(),
            Request::Readdir { handle: Handle(5) },
        ),
        (packet_type::REMOVE, path(b"/a"), Request::Remove { path: b"/a" }),
        (
            packet_type::MKDIR,
            [path(b"/a"), none.to_vec()].concat(),
            Request::Mkdir {
                path: b"/a",
                attributes: attributes.clone(),
            },
        ),
        (packet_type::RMDIR, path(b"/a"), Request::Rmdir { path: b"/a" }),
        (
            packet_type::REALPATH,
            path(b"."),
            Request::Realpath { path: b"." },
        ),
        (
            packet_type::RENAME,
            two(b"/a", b"/b"),
            Request::Rename {
                from: b"/a",
                to: b"/b",
            },
        ),
        (
            packet_type::READLINK,
            path(b"/a"),
            Request::Readlink { path: b"/a" },
        ),
        (
            packet_type::SYMLINK,
            two(b"/a", b"/b"),
            Request::Symlink {
                link: b"/a",
                target: b"/b",
            },
        ),
        (
            packet_type::EXTENDED,
            path(b"limits@openssh.com"),
            Request::Extended(Extended::Limits),
        ),
        (
            packet_type::EXTENDED,
            [path(b"posix-rename@openssh.com"), two(b"/a", b"/b")].concat(),
            Request::Extended(Extended::PosixRename {
                from: b"/a",
                to: b"/b",
            }),
        ),
        (
            packet_type::EXTENDED,
            check,
            Request::Extended(Extended::CheckFile {
                target: CheckTarget::Path(b"/x"),
                algorithms: b"sha256",
                offset: 0,
                length: 0,
                block_size: 0,
            }),
        ),
        (
            packet_type::EXTENDED,
            two(b"nobody@example.org", b"?"),
            Request::Extended(Extended::Other),
        ),
        (99, vec![1, 2, 3], Request::Unknown { kind: 99 }),
    ];
    for (kind, body, expected) in cases {
        let packet = framed(kind, 77, &body);
        assert_eq!(Request::decode(&packet[4..]), Ok((77, expected)));
    }
}

#[test]
fn over_long_and_empty_packets_are_fatal() {
    let too_long = u32::try_from(MAX_PACKET_BYTES + 1).unwrap();
    let control = u32::try_from(MAX_CONTROL_PACKET_BYTES + 1).unwrap();
    for (length, expected) in [
        (u32::MAX, FrameError::TooLong(u32::MAX)),
        (too_long, FrameError::TooLong(too_long)),
        (control, FrameError::TooLong(control)),
        (0, FrameError::Empty),
    ] {
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.push(packet_type::STAT);
        assert_eq!(FrameDecoder::default().next(&mut bytes.as_slice()), Err(expected));
    }
}

#[test]
fn a_write_that_lies_about_its_length_is_a_bad_request_with_its_id() {
    let mut packet = write_packet(41, 7, 0, b"payload");
    let length_field = packet.len() - b"payload".len() - 4;
    packet[length_field..length_field + 4].copy_from_slice(&1000u32.to_be_bytes());
    let mut decoder = FrameDecoder::default();
    let mut input = packet.as_slice();
    let Some(FrameEvent::Packet(whole)) = decoder.next(&mut input).unwrap() else {
        panic!("not a packet")
    };
    assert_eq!(Request::decode(whole), Err(BadRequest { id: Some(41) }));
}

#[test]
fn what_stands_behind_a_payload_is_passed_over() {
    let mut packet = write_packet(5, 7, 0, b"payload and excess");
    let length_field = packet.len() - b"payload and excess".len() - 4;
    packet[length_field..length_field + 4].copy_from_slice(&7u32.to_be_bytes());
    packet.extend(write_packet(6, 7, 7, b"next"));
    for step in 1..packet.len() {
        let (seen, failed) = decode_in_pieces(&packet, step);
        assert!(!failed);
        assert_eq!(seen[1], format!("{:?}", b"payload"));
        assert_eq!(seen[3], format!("{:?}", b"next"));
    }
}

#[test]
fn an_empty_write_still_ends() {
    let packet = write_packet(1, 7, 5, b"");
    let (seen, failed) = decode_in_pieces(&packet, 3);
    assert!(!failed);
    assert_eq!(seen.len(), 2);
}

#[test]
fn long_names_look_like_ls() {
    let mut entry = Entry {
        name: "开户.mp4".as_bytes().to_vec(),
        attributes: Attributes {
            size_bytes: Some(1234),
            uid_gid: Some((0, 0)),
            permissions: Some(0o100_640),
            atime_mtime: Some((0, 1_785_200_000)),
        },
    };
    let text = |entry: &Entry, now| String::from_utf8(long_name(entry, now)).unwrap();
    assert_eq!(
        text(&entry, 1_785_200_100),
        "-rw-r-----    1 0        0                1234 Jul 28 00:53 开户.mp4"
    );
    assert_eq!(
        text(&entry, 1_885_200_100),
        "-rw-r-----    1 0        0                1234 Jul 28  2026 开户.mp4"
    );
    entry.attributes.permissions = Some(0o040_755);
    assert!(text(&entry, 0).starts_with("drwxr-xr-x "));
}

#[test]
fn replies_carry_their_length() {
    let mut out = Vec::new();
    Reply::Status {
        code: StatusCode::NoSuchFile,
        message: "none",
    }
    .encode(3, &mut out);
    assert_eq!(
        out,
        [
            &[0, 0, 0, 23, 101, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 4][..],
            b"none",
            &[0, 0, 0, 2],
            b"en"
        ]
        .concat()
    );
    let before = out.len();
    let read = |buffer: &mut [u8]| {
        buffer[..3].copy_from_slice(b"abc");
        Ok::<_, ()>(3)
    };
    assert_eq!(encode_data(4, 9, &mut out, read), Ok(3));
    assert_eq!(encode_data(4, 9, &mut out, |_| Ok::<_, ()>(0)), Ok(0));
    assert_eq!(encode_data(4, 9, &mut out, |_| Err(())), Err(()));
    assert_eq!(
        &out[before..],
        &[0, 0, 0, 12, 103, 0, 0, 0, 4, 0, 0, 0, 3, b'a', b'b', b'c']
    );
}
