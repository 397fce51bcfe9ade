//! Bytes that compress as those of real files do: text about 3 to 1, machine code about 2 to 1.

/// Words of which text is made.
const WORDS: usize = 3000;

/// Instructions of which machine code is made.
const INSTRUCTIONS: usize = 700;

/// A source of numbers (xorshift64), and the vocabulary that it has made first.
pub(crate) struct Noise {
    state: u64,
    words: Vec<Vec<u8>>,
    instructions: Vec<Vec<u8>>,
}

impl Noise {
    /// Everything follows from `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        let mut noise = Self { state: seed | 1, words: Vec::new(), instructions: Vec::new() };
        let letters = b"etaoinshrdlucmfwypvbgkqjxz";
        for _ in 0..WORDS {
            let length = 2 + noise.below(9);
            let word = (0..length).map(|_| letters[noise.skewed(letters.len())]).collect();
            noise.words.push(word);
        }
        for _ in 0..INSTRUCTIONS {
            let length = 2 + noise.below(6);
            let code = (0..length).map(|_| noise.next().to_le_bytes()[4]).collect();
            noise.instructions.push(code);
        }
        noise
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    /// A number below `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let number = (self.next() >> 11) % (limit as u64);
        usize::try_from(number).expect("it is below a usize")
    }

    /// A number below `limit` that is more often small, as words and instructions are.
    fn skewed(&mut self, limit: usize) -> usize {
        let (one, other) = (self.below(limit), self.below(limit));
        self.below(one.min(other) + 1)
    }

    /// About `length` bytes of text in lines.
    pub(crate) fn text(&mut self, length: usize) -> Vec<u8> {
        let mut text = Vec::with_capacity(length + 16);
        while text.len() < length {
            let word = self.skewed(WORDS);
            text.extend_from_slice(&self.words[word]);
            text.push(if self.below(10) == 0 { b'\n' } else { b' ' });
        }
        text
    }

    /// About `length` bytes of machine code.
    pub(crate) fn code(&mut self, length: usize) -> Vec<u8> {
        let mut code = Vec::with_capacity(length + 16);
        while code.len() < length {
            let instruction = self.skewed(INSTRUCTIONS);
            code.extend_from_slice(&self.instructions[instruction]);
            match self.below(12) {
                0 => code.extend_from_slice(&self.next().to_le_bytes()[3..6]),
                1 => code.push(self.next().to_le_bytes()[5]),
                2 | 3 => code.extend_from_slice(&[0; 4]),
                _ => {}
            }
        }
        code
    }

    /// A lower-case name.
    pub(crate) fn name(&mut self) -> String {
        let (one, other) = (self.below(WORDS), self.below(WORDS));
        let words = [&self.words[one], &self.words[other]];
        words.map(|word| String::from_utf8_lossy(word).into_owned()).join("-")
    }

    /// A version, `4.17.2`.
    pub(crate) fn version(&mut self) -> String {
        format!("{}.{}.{}", self.below(12), self.below(30), self.below(40))
    }
}
