use super::*;

fn followed(bytes: &[u8], piece: usize) -> Seen {
    let mut containers = Containers::new(bytes.len() as u64);
    bytes.chunks(piece).for_each(|piece| containers.bytes(piece));
    containers.finish().expect("a container that is followed")
}

/// Packs of 2,048 bytes.
fn program_stream(packs: usize) -> Vec<u8> {
    let mut stream = Vec::new();
    for _ in 0..packs {
        stream.extend([0, 0, 1, 0xBA, 0x44, 0, 4, 0, 4, 1, 0, 0, 3, 0xF8]);
        stream.extend([0, 0, 1, 0xE0]);
        stream.extend(2_028u16.to_be_bytes());
        stream.extend([0x55; 2_028]);
    }
    stream
}

fn transport_stream(packets: usize) -> Vec<u8> {
    let packet = |index: usize| {
        let mut packet = [0x55; 188];
        packet[..4].copy_from_slice(&[0x47, 1, 0, 0x10 | (index % 16) as u8]);
        packet
    };
    (0..packets).flat_map(packet).collect()
}

#[test]
fn the_size_of_the_pieces_changes_nothing() {
    let mut stream = program_stream(40);
    stream[20_000..40_000].fill(0);
    let whole = followed(&stream, usize::MAX >> 1);
    assert_eq!(whole.loss_count, 1);
    for piece in [1, 7, 2_048, 4_095] {
        assert_eq!(followed(&stream, piece), whole, "{piece}");
    }
}

#[test]
fn a_hole_in_a_program_stream_is_a_loss_from_where_a_head_should_be_to_the_next() {
    let mut stream = program_stream(40);
    assert_eq!(followed(&stream, 4_096).losses, []);
    stream[20_000..40_000].fill(0x55);
    let seen = followed(&stream, 4_096);
    assert_eq!(seen.losses, [(10 * 2_048, 20 * 2_048)]);
    assert_eq!(seen.truncated, None);
    assert!(followed(&stream[..50_000], 4_096).truncated.is_some());
}

#[test]
fn packets_that_are_missing_from_a_transport_stream_show_in_its_counters() {
    let stream = transport_stream(64);
    assert_eq!(followed(&stream, 1_000).loss_count, 0);
    let mut shorter = stream.clone();
    shorter.drain(188 * 10..188 * 15);
    assert_eq!(followed(&shorter, 1_000).loss_count, 1);
    assert!(followed(&stream[..stream.len() - 1], 1_000).truncated.is_some());
}

#[test]
fn lengths_of_audio_frames_are_those_of_the_standard() {
    // MPEG-1 layer III, 128 kbit/s, 44.1 kHz, without and with padding.
    assert_eq!(frame_bytes(&[0xFF, 0xFB, 0x90, 0]), Some(417));
    assert_eq!(frame_bytes(&[0xFF, 0xFB, 0x92, 0]), Some(418));
    // MPEG-1 layer II, 192 kbit/s, 48 kHz; MPEG-2 layer III, 64 kbit/s, 22.05 kHz.
    assert_eq!(frame_bytes(&[0xFF, 0xFD, 0xA4, 0]), Some(576));
    assert_eq!(frame_bytes(&[0xFF, 0xF3, 0x80, 0]), Some(208));
    for nothing in [
        [0xFF, 0xFB, 0xF0, 0],
        [0xFF, 0xFB, 0, 0],
        [0xFF, 0xEB, 0x90, 0],
        [0xFE, 0xFB, 0x90, 0],
    ] {
        assert_eq!(frame_bytes(&nothing), None);
    }
}

#[test]
fn hostile_heads_end_in_bounded_work() {
    let starts: [&[u8]; 6] = [
        b"RIFF\xff\xff\xff\xffAVI LIST\xff\xff\xff\xffmovi",
        &asf::HEADER,
        b"FLV\x01\x05\xff\xff\xff\xff",
        &[
            0x1A, 0x45, 0xDF, 0xA3, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE,
        ],
        &[0, 0, 1, 0xBA, 0xFF],
        b"ID3\x04\0\xff\x7f\x7f\x7f\x7f",
    ];
    for start in starts {
        for fill in [0, 0x47, 0xFF] {
            let mut bytes = start.to_vec();
            bytes.resize(100_000, fill);
            let seen = followed(&bytes, 3_000);
            assert!(seen.losses.len() <= MAX_LOSSES);
        }
    }
}
