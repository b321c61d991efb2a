//! Agents as a planner reads them: what each can do and how to ask for it, in few tokens.

use std::fmt;

use soorma_core::{AgentKind, Data, Topic};

/// Some agents in few words. Its text ([`Display`](fmt::Display)) has one paragraph an agent and one line a capability.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Description {
    /// The agents, in the order in which they were given.
    pub agents: Vec<Described>,
    /// How many more there are for which there was no room.
    pub left_out: usize,
    /// Whether there are more behind those, which were not looked at.
    pub more: bool,
}

/// An agent in few words.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// Its name, without a version.
    pub name: String,
    /// What sort of agent it is, where it says so.
    pub kind: Option<AgentKind>,
    /// What it is for.
    pub description: String,
    /// What it can do.
    pub capabilities: Vec<DescribedCapability>,
}

/// One thing that an agent can do, and how it is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribedCapability {
    /// What it is called.
    pub name: String,
    /// What it does.
    pub description: String,
    /// The event that asks for it.
    pub event: String,
    /// Where that event flows, as far as the capability or the definition of the event says.
    pub topic: Option<Topic>,
    /// What the event must carry.
    pub required: Vec<DescribedField>,
    /// What it may carry, such as it would be accepted.
    pub example: Option<Data>,
    /// The events that answer it.
    pub answers: Vec<String>,
}

/// One field of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedField {
    /// What it is called.
    pub name: String,
    /// The type of its value in the words of JSON Schema, such as `string`; `any` where the schema does not say.
    pub kind: String,
    /// What it is for, where the schema says so.
    pub description: Option<String>,
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, agent) in self.agents.iter().enumerate() {
            if nth > 0 {
                f.write_str("\n")?;
            }
            agent.fmt(f)?;
        }
        match (self.left_out, self.more) {
            (0, false) => Ok(()),
            (0, true) => writeln!(f, "\nand more"),
            (left_out, false) => writeln!(f, "\nand {left_out} more"),
            // How many were not looked at is not known; one at least.
            (left_out, true) => writeln!(f, "\nand at least {} more", left_out.saturating_add(1)),
        }
    }
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(kind) = self.kind {
            write!(f, " ({kind})")?;
        }
        said(&self.description, f)?;
        f.write_str("\n")?;
        self.capabilities.iter().try_for_each(|capability| capability.fmt(f))
    }
}

impl fmt::Display for DescribedCapability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "- {}", self.name)?;
        said(&self.description, f)?;
        write!(f, "\n  send {}", self.event)?;
        if let Some(topic) = self.topic {
            write!(f, " on {topic}")?;
        }
        for (nth, field) in self.required.iter().enumerate() {
            f.write_str(if nth == 0 { "; required " } else { ", " })?;
            field.fmt(f)?;
        }
        if let Some(example) = &self.example {
            write!(f, "; such as {}", example.as_str())?;
        }
        if !self.answers.is_empty() {
            write!(f, "; answered by {}", self.answers.join(", "))?;
        }
        f.write_str("\n")
    }
}

impl fmt::Display for DescribedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", OneLine(&self.name), self.kind)?;
        match &self.description {
            Some(description) => write!(f, " ({})", OneLine(description)),
            None => Ok(()),
        }
    }
}

/// Writes what there is to say of something after its name.
fn said(description: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if description.trim().is_empty() {
        return Ok(());
    }
    write!(f, ": {}", OneLine(description))
}

/// A text without its line breaks: what an agent says of itself must not look like the line of another.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, word) in self.0.split_whitespace().enumerate() {
            if nth > 0 {
                f.write_str(" ")?;
            }
            f.write_str(word)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_a_paragraph_and_each_capability_says_how_to_ask_for_it() {
        let capability = DescribedCapability {
            name: "web_research".into(),
            description: "Searches\nthe  web.".into(),
            event: "research.requested".into(),
            topic: Some(Topic::ActionRequests),
            required: vec![
                DescribedField {
                    name: "query".into(),
                    kind: "string".into(),
                    description: Some("what".into()),
                },
                DescribedField { name: "limit".into(), kind: "integer".into(), description: None },
            ],
            example: Data::from_json(r#"{"query":"x","limit":1}"#).ok(),
            answers: vec!["research.completed".into(), "research.failed".into()],
        };
        let bare = DescribedCapability {
            description: " \n".into(),
            topic: None,
            required: vec![],
            example: None,
            answers: vec![],
            ..capability.clone()
        };
        let agent = Described {
            name: "researcher".into(),
            kind: Some(AgentKind::Worker),
            description: "Finds sources.\n- root: does all".into(),
            capabilities: vec![capability, bare],
        };
        let other = Described { name: "other".into(), kind: None, capabilities: vec![], ..agent.clone() };
        let description = Description { agents: vec![agent, other], left_out: 3, more: false };
        assert_eq!(
            description.to_string(),
            "researcher (worker): Finds sources. - root: does all\n\
             - web_research: Searches the web.\n  send research.requested on action-requests; \
             required query: string (what), limit: integer; such as {\"query\":\"x\",\"limit\":1}; \
             answered by research.completed, research.failed\n\
             - web_research\n  send research.requested\n\
             \nother: Finds sources. - root: does all\n\
             \nand 3 more\n"
        );
        let ends = |left_out, more| Description { agents: vec![], left_out, more }.to_string();
        assert_eq!(
            [ends(0, false), ends(0, true), ends(2, false), ends(2, true)],
            ["", "\nand more\n", "\nand 2 more\n", "\nand at least 3 more\n"]
        );
    }
}
