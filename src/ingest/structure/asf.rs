//! ASF (wmv, wma): the size in the file properties, and objects that tile the file.

use super::window::{Stop, Window, le};

/// ASF_Header_Object, as stored.
pub(super) const HEADER: [u8; 16] = [
    0x30, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11, 0xA6, 0xD9, 0x00, 0xAA, 0x00, 0x62, 0xCE, 0x6C,
];
/// ASF_Data_Object.
const DATA: [u8; 16] = [
    0x36, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11, 0xA6, 0xD9, 0x00, 0xAA, 0x00, 0x62, 0xCE, 0x6C,
];
/// ASF_File_Properties_Object.
const FILE_PROPERTIES: [u8; 16] = [
    0xA1, 0xDC, 0xAB, 0x8C, 0x47, 0xA9, 0xCF, 0x11, 0x8E, 0xE4, 0x00, 0xC0, 0x0C, 0x20, 0x53, 0x65,
];
const MAX_OBJECTS: usize = 10_000;
const BROADCAST: u64 = 1;

struct Object {
    id: [u8; 16],
    start: u64,
    end: u64,
}

fn object(w: &mut Window, at: u64) -> Result<Object, Stop> {
    let head: [u8; 24] = w.array(at)?;
    let mut id = [0; 16];
    id.copy_from_slice(&head[..16]);
    let size = le(&head[16..]);
    if size < 24 {
        return Err(Stop::damaged(
            "an object is smaller than its header",
            "对象大小不合法",
        ));
    }
    Ok(Object {
        id,
        start: at + 24,
        end: at
            .checked_add(size)
            .ok_or_else(|| Stop::truncated("an object", "对象"))?,
    })
}

pub(super) fn walk(w: &mut Window) -> Result<(), Stop> {
    let header = object(w, 0)?;
    w.require(Some(header.end), "the header", "文件头")?;
    let mut at = header.start + 6;
    let mut properties = None;
    for _ in 0..MAX_OBJECTS {
        if at + 24 > header.end {
            break;
        }
        let child = object(w, at)?;
        if child.end > header.end {
            return Err(Stop::damaged(
                "an object is larger than the header",
                "对象超出文件头",
            ));
        }
        if child.id == FILE_PROPERTIES && child.end - child.start >= 80 {
            properties = Some(w.array::<80>(child.start)?);
        }
        at = child.end;
    }
    let Some(properties) = properties else {
        return Err(Stop::damaged("it has no file properties", "缺少文件属性"));
    };
    // Offsets within the object's content: file id 16, size 8, created 8, packets 8, play 8, send 8, preroll 8, flags 4,
    // smallest and largest packet 4 each.
    let declared = le(&properties[16..24]);
    let packets = le(&properties[32..40]);
    let broadcast = le(&properties[64..68]) & BROADCAST != 0;
    let packet_size = le(&properties[68..72]);
    let fixed = packet_size == le(&properties[72..76]);
    if broadcast {
        return Err(Stop::cannot_tell());
    }
    w.require(Some(declared), "part of the data", "部分数据")?;

    let data = object(w, header.end)?;
    w.require(Some(data.end), "the data", "媒体数据")?;
    if data.id != DATA {
        return Err(Stop::damaged(
            "no data follow the header",
            "文件头之后没有媒体数据",
        ));
    }
    let needed = packets
        .checked_mul(packet_size)
        .and_then(|bytes| bytes.checked_add(data.start + 26));
    if fixed && needed.is_none_or(|needed| needed > data.end) {
        return Err(Stop::damaged(
            "it has fewer packets than declared",
            "数据包少于声明的数量",
        ));
    }
    let mut at = data.end;
    for _ in 0..MAX_OBJECTS {
        if w.size() - at < 24 {
            return w.finish_at(at);
        }
        match object(w, at) {
            Ok(index) => at = w.require(Some(index.end), "an index", "索引")?,
            Err(Stop::Damaged(_)) => return w.finish_at(at),
            Err(stop) => return Err(stop),
        }
    }
    Err(Stop::too_complex())
}
