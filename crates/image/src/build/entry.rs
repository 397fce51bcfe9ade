//! The tar stream of a layer in the making.

/// Bytes of a block.
const BLOCK: usize = 512;

/// A layer in the making: entries in the order given, none added.
#[derive(Clone, Debug, Default)]
pub struct LayerBuilder {
    tar: Vec<u8>,
}

impl LayerBuilder {
    /// Without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file that all may read.
    #[must_use]
    pub fn file(self, path: &str, content: &[u8]) -> Self {
        self.file_with_mode(path, content, 0o644)
    }

    /// Adds a file with these permission bits.
    #[must_use]
    pub fn file_with_mode(mut self, path: &str, content: &[u8], mode: u32) -> Self {
        self.header(path.as_bytes(), b"", b'0', content.len(), mode);
        self.content(content);
        self
    }

    /// Adds a file whose path need not be UTF-8.
    #[must_use]
    pub fn file_with_raw_path(mut self, path: &[u8], content: &[u8]) -> Self {
        self.header(path, b"", b'0', content.len(), 0o644);
        self.content(content);
        self
    }

    /// Adds a folder.
    #[must_use]
    pub fn folder(mut self, path: &str) -> Self {
        self.header(format!("{path}/").as_bytes(), b"", b'5', 0, 0o755);
        self
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn symlink(mut self, path: &str, target: &str) -> Self {
        self.header(path.as_bytes(), target.as_bytes(), b'2', 0, 0o777);
        self
    }

    /// Adds a hard link to the file at `target`.
    #[must_use]
    pub fn hard_link(mut self, path: &str, target: &str) -> Self {
        self.header(path.as_bytes(), target.as_bytes(), b'1', 0, 0o644);
        self
    }

    /// Hides a path of the layers below.
    #[must_use]
    pub fn whiteout(self, path: &str) -> Self {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let slash = if folder.is_empty() { "" } else { "/" };
        self.file(&format!("{folder}{slash}.wh.{name}"), b"")
    }

    /// Hides what the layers below have in a folder.
    #[must_use]
    pub fn opaque(self, folder: &str) -> Self {
        self.file(&format!("{folder}/.wh..wh..opq"), b"")
    }

    /// Adds an entry of any type, with its content.
    #[must_use]
    pub fn entry(mut self, path: &str, kind: u8, content: &[u8]) -> Self {
        self.header(path.as_bytes(), b"", kind, content.len(), 0o644);
        self.content(content);
        self
    }

    /// Adds bytes as they are, filled up to a block: a header of one's own, for instance.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.content(bytes);
        self
    }

    /// Adds PAX records that hold for the next entry.
    #[must_use]
    pub fn pax(mut self, records: &[(&str, &str)]) -> Self {
        let mut content = Vec::new();
        for (key, value) in records {
            content.extend(pax_record(key.as_bytes(), value.as_bytes()));
        }
        self.header(b"PaxHeaders/next", b"", b'x', content.len(), 0o644);
        self.content(&content);
        self
    }

    /// The tar stream, with its two closing blocks.
    pub fn to_tar(&self) -> Vec<u8> {
        let mut tar = self.tar.clone();
        tar.resize(tar.len() + 2 * BLOCK, 0);
        tar
    }

    /// The tar stream without closing blocks.
    pub fn to_open_tar(&self) -> Vec<u8> {
        self.tar.clone()
    }

    /// Writes a header; names that do not fit go before it as GNU long names.
    fn header(&mut self, path: &[u8], link: &[u8], kind: u8, size: usize, mode: u32) {
        for (text, kind) in [(path, b'L'), (link, b'K')] {
            if text.len() > 100 {
                let block = header_block(b"././@LongLink", b"", kind, text.len() + 1, 0o644);
                self.tar.extend(block);
                self.content(&[text, b"\0"].concat());
            }
        }
        self.tar.extend(header_block(path, link, kind, size, mode));
    }

    fn content(&mut self, content: &[u8]) {
        self.tar.extend_from_slice(content);
        self.tar.resize(self.tar.len().next_multiple_of(BLOCK), 0);
    }
}

/// One header block of GNU's variant.
fn header_block(path: &[u8], link: &[u8], kind: u8, size: usize, mode: u32) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    put(&mut block[..100], path);
    put(&mut block[100..108], format!("{mode:07o}\0").as_bytes());
    put(&mut block[108..124], b"0000000\x000000000\0");
    put(&mut block[124..136], format!("{size:011o}\0").as_bytes());
    put(&mut block[136..148], b"00000000000\0");
    block[156] = kind;
    put(&mut block[157..257], link);
    put(&mut block[257..265], b"ustar  \0");
    seal(&mut block);
    block
}

/// Writes the checksum of a header block.
pub(crate) fn seal(block: &mut [u8; BLOCK]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    put(&mut block[148..156], format!("{sum:06o}\0 ").as_bytes());
}

/// Copies as much as fits.
fn put(field: &mut [u8], bytes: &[u8]) {
    for (to, from) in field.iter_mut().zip(bytes) {
        *to = *from;
    }
}

/// `LENGTH KEY=VALUE\n`, the length counting its own digits.
fn pax_record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() > length {
        length += 1;
    }
    [length.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}
