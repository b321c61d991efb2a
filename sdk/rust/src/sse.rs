//! Server-sent events, read (WHATWG HTML, "Interpreting an event stream"). Pure.

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Raw {
    pub(crate) event: String,
    pub(crate) data: String,
    /// The last id that was seen, in this event or before it.
    pub(crate) id: Option<String>,
}

/// Puts events together from pieces of bytes, wherever they are cut.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    after_cr: bool,
    event: String,
    data: Option<String>,
    id: Option<String>,
}

/// A line longer than this is none of ours: the largest event is far smaller.
const MAX_LINE: usize = 96 * 1024 * 1024;

impl Parser {
    /// Takes bytes in and gives the events that they complete. `None`: the stream is no event stream.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Option<Vec<Raw>> {
        let mut events = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' if self.after_cr => self.after_cr = false,
                b'\r' | b'\n' => {
                    self.after_cr = *byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    events.extend(self.line(&String::from_utf8_lossy(&line)));
                }
                byte => {
                    self.after_cr = false;
                    if self.line.len() >= MAX_LINE {
                        return None;
                    }
                    self.line.push(*byte);
                }
            }
        }
        Some(events)
    }

    fn line(&mut self, line: &str) -> Option<Raw> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            let data = self.data.take()?;
            let event = if event.is_empty() { "message".to_owned() } else { event };
            return Some(Raw { event, data, id: self.id.clone() });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            // Comments have no field name; `retry` and what is unknown are passed over.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "event: connected\r\ndata: {\"a\": 1}\r\n\r\n: ping\r\n\r\nid: x=1\r\nevent: message\r\ndata: one\r\n\
                          data: two\r\n\r\ndata: h\u{e9}\n\nid\rdata:three\r\r";

    fn expected() -> Vec<Raw> {
        let raw = |event: &str, data: &str, id: Option<&str>| Raw {
            event: event.into(),
            data: data.into(),
            id: id.map(Into::into),
        };
        vec![
            raw("connected", "{\"a\": 1}", None),
            raw("message", "one\ntwo", Some("x=1")),
            raw("message", "h\u{e9}", Some("x=1")),
            raw("message", "three", Some("")),
        ]
    }

    #[test]
    fn a_stream_reads_the_same_wherever_it_is_cut() {
        let bytes = STREAM.as_bytes();
        for cut in 0..bytes.len() {
            let mut parser = Parser::default();
            let (head, tail) = bytes.split_at(cut);
            let mut events = parser.feed(head).unwrap();
            events.extend(parser.feed(tail).unwrap());
            assert_eq!(events, expected(), "cut at {cut}");
        }
        let mut parser = Parser::default();
        let events: Vec<_> = bytes.iter().flat_map(|byte| parser.feed(&[*byte]).unwrap()).collect();
        assert_eq!(events, expected());
    }
}
