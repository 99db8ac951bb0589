//! What the receiver of a bag reads first: how to verify it without us.

/// The text of `VERIFY.txt`.
pub(super) fn render(original: &str, sha256: &str, log_key: &str) -> String {
    format!(
        "如何核验本证据包 / How to verify this evidence\n\
         ================================================\n\
         \n\
         1. 文件是否完整（在本目录的上一级执行） / Are all files whole? In the folder above this one:\n\
         \n\
         \x20   sha256sum -c manifest-sha256.txt\n\
         \x20   sha256sum -c tagmanifest-sha256.txt\n\
         \n\
         2. 原件的 SHA-256 应为 / The original, {original}, must have this SHA-256:\n\
         \n\
         \x20   {sha256}\n\
         \n\
         \x20  与 receipt.json 中的 \"sha256\" 一致 / the same as \"sha256\" in receipt.json.\n\
         \n\
         3. 回执是否在保管日志之中（离线，仅需公钥） / Is the receipt in the custody log? Offline, public keys only:\n\
         \n\
         \x20   muniment-verify bundle --key /path/to/log.pub .\n\
         \n\
         \x20  log.pub 须从其他途径（总部公告、审计、监管）取得；本包内的 data/log.pub 只能证明包内一致：\n\
         \x20  Take log.pub from elsewhere: what the house published, or what an auditor holds. The data/log.pub in this\n\
         \x20  bag proves only that the bag agrees with itself. It says:\n\
         \n\
         \x20   {log_key}\n\
         \n\
         4. 不使用本软件时：docs/FORMAT.md 说明如何仅用 openssl 与 sha256sum 完成同样的核验。\n\
         \x20  Without this software: docs/FORMAT.md shows the same check with openssl and sha256sum alone.\n\
         \n\
         record.json 含个人信息，请依法保管。 / record.json holds personal data: keep it as the law asks.\n\
         核验通过说明：这些字节在所示时间已被接收并记录，此后未改变；不说明拍摄内容本身真实。\n\
         A passed check says that these bytes were taken in and logged at the stated time and haven't changed since. It\n\
         doesn't say that what they show is true.\n"
    )
}
