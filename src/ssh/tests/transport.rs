//! What the SSH transport does with a stream that comes in pieces, and with keys that are exchanged in mid-stream.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Stands between client and server and hands on what it gets in pieces of other sizes.
async fn cut_up(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(server).await.unwrap();
            client.set_nodelay(true).unwrap();
            server.set_nodelay(true).unwrap();
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), server.into_split());
            tokio::spawn(pass_on(from_client, to_server));
            tokio::spawn(pass_on(from_server, to_client));
        }
    });
    address
}

/// Pieces of one byte, of a few, of a packet's length and a byte more or less, of many packets: each in its turn.
async fn pass_on(mut from: impl tokio::io::AsyncRead + Unpin, mut to: impl tokio::io::AsyncWrite + Unpin) {
    static TURN: AtomicUsize = AtomicUsize::new(0);
    const SIZES: [usize; 12] = [1, 2, 3, 5, 17, 33, 32_767, 32_768, 32_805, 100_000, 4096, 262_144];
    let mut held = vec![0; 262_144];
    loop {
        let size = SIZES[TURN.fetch_add(1, Ordering::Relaxed) % SIZES.len()];
        match from.read(&mut held[..size]).await {
            Ok(0) | Err(_) => break,
            Ok(length) if to.write_all(&held[..length]).await.is_err() => break,
            Ok(_) => tokio::task::yield_now().await,
        }
    }
    let _ = to.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_come_through_whole_however_the_stream_is_cut_and_whoever_exchanges_keys() {
    let mut bench = Bench::new(SshSettings {
        rekey_bytes: 700_000,
        ..fast()
    })
    .await;
    bench.port = cut_up(bench.server.local_address()).await.port();
    let data = write_data(&bench.path("big"), 3_000_000);
    for cipher in [
        "aes256-gcm@openssh.com",
        "chacha20-poly1305@openssh.com",
        "aes128-ctr",
    ] {
        for rekey_limit in ["RekeyLimit=1G", "RekeyLimit=500K"] {
            let options = ["-c", cipher, "-o", rekey_limit];
            assert_ok(&bench.sftp(&options, "put big a\nget a back\nrm a\n").await);
            assert_eq!(
                std::fs::read(bench.path("back")).unwrap(),
                data,
                "{cipher} {rekey_limit}"
            );
        }
    }
    bench.server.shutdown(Duration::from_secs(5)).await;
}

/// Small requests, thousands of them in a few packets and each answered by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_small_files_come_through_a_stream_that_is_cut() {
    let mut bench = Bench::new(fast()).await;
    bench.port = cut_up(bench.server.local_address()).await.port();
    let local = bench.path("many");
    std::fs::create_dir(&local).unwrap();
    for n in 0..60 {
        write_data(&local.join(n.to_string()), n * 37);
    }
    assert_ok(&bench.sftp(&[], "put -r many many\nget -r many back\n").await);
    for n in 0..60 {
        let back = std::fs::read(bench.path("back").join(n.to_string())).unwrap();
        assert_eq!(back, std::fs::read(local.join(n.to_string())).unwrap(), "{n}");
    }
    bench.server.shutdown(Duration::from_secs(5)).await;
}
