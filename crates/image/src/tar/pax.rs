//! The records of a PAX extended header (POSIX.1-2001), those that are used.
//!
//! A record is `LENGTH KEY=VALUE\n`, its length counting itself. Sparse files of GNU tar are
//! written in records of its own; versions 0.0 and 0.1 have the map there, 1.0 before the data.

/// Pairs of offset and length that one map may hold; the same for all three ways to write it.
pub(super) const PAIRS_MAX: usize = 64 * 1024;

/// What the records before one entry say; empty values count as absent.
#[derive(Debug, Default)]
pub(super) struct PaxRecords {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) sparse_path: Option<Vec<u8>>,
    pub(super) sparse_size: Option<u64>,
    pub(super) sparse_pairs: Vec<(u64, u64)>,
    sparse_offset: Option<u64>,
    sparse_major: Option<u64>,
    is_sparse: bool,
}

/// Where the map of a sparse file stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SparseVersion {
    InHeader,
    InData,
}

impl PaxRecords {
    pub(super) fn clear(&mut self) {
        if !self.is_empty() {
            *self = Self::default();
        }
    }

    fn is_empty(&self) -> bool {
        self.path.is_none() && self.link.is_none() && self.size.is_none() && !self.is_sparse
    }

    /// Whether the entry is a sparse file, and where its map stands.
    pub(super) fn sparse_version(&self) -> Option<SparseVersion> {
        if !self.is_sparse {
            return None;
        }
        match self.sparse_major {
            Some(1) => Some(SparseVersion::InData),
            _ if self.sparse_pairs.is_empty() && self.sparse_size.is_none() => None,
            _ => Some(SparseVersion::InHeader),
        }
    }

    /// Takes over the records of one header.
    pub(super) fn parse(&mut self, mut bytes: &[u8]) -> Result<(), &'static str> {
        const MALFORMED: &str = "a PAX record is malformed";
        while !bytes.is_empty() {
            let space = bytes.iter().take(21).position(|&byte| byte == b' ').ok_or(MALFORMED)?;
            let (digits, _) = bytes.split_at(space);
            let length = decimal(digits).and_then(|length| usize::try_from(length).ok());
            let length = length.filter(|&length| length > space + 1).ok_or(MALFORMED)?;
            let record = bytes.get(space + 1..length).ok_or(MALFORMED)?;
            let record = record.strip_suffix(b"\n").ok_or(MALFORMED)?;
            let equals = record.iter().position(|&byte| byte == b'=').ok_or(MALFORMED)?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            self.take(key, value)?;
            bytes = &bytes[length..];
        }
        Ok(())
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        const NUMBER: &str = "a number in a PAX record is malformed";
        let name = || (!value.is_empty()).then(|| value.to_vec());
        let number = || {
            if value.is_empty() { Ok(None) } else { decimal(value).map(Some).ok_or(NUMBER) }
        };
        match key {
            b"path" => self.path = name(),
            b"linkpath" => self.link = name(),
            b"size" => self.size = number()?,
            b"GNU.sparse.name" => self.sparse_path = name(),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => self.sparse_size = number()?,
            b"GNU.sparse.major" => self.sparse_major = number()?,
            b"GNU.sparse.offset" => self.sparse_offset = number()?,
            b"GNU.sparse.numbytes" => {
                let length = number()?.ok_or(NUMBER)?;
                let offset = self.sparse_offset.take().ok_or(NUMBER)?;
                self.push_pair(offset, length)?;
            }
            b"GNU.sparse.map" => {
                let mut numbers = value.split(|&byte| byte == b',');
                while let Some(offset) = numbers.next().filter(|text| !text.is_empty()) {
                    let offset = decimal(offset).ok_or(NUMBER)?;
                    let length = numbers.next().and_then(decimal).ok_or(NUMBER)?;
                    self.push_pair(offset, length)?;
                }
            }
            _ => {}
        }
        self.is_sparse |= key.starts_with(b"GNU.sparse.");
        Ok(())
    }

    fn push_pair(&mut self, offset: u64, length: u64) -> Result<(), &'static str> {
        if self.sparse_pairs.len() >= PAIRS_MAX {
            return Err("the map of a sparse file is too long");
        }
        self.sparse_pairs.push((offset, length));
        Ok(())
    }
}

/// Decimal digits below 2⁶³; a size may have a fraction nowhere.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0_u64, |value, digit| value * 10 + u64::from(digit - b'0'));
    (value < 1 << 62).then_some(value)
}
