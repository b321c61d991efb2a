//! What was told of made-up people and things, and questions of which it is known what answers them. All of it follows from a seed.

use crate::like_real::Random;

const PEOPLE: usize = 240;
const THINGS: usize = 200;
/// How many are asked of each sort.
const ASKED: usize = 150;

/// What is stored, in this order.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) text: String,
    /// The conversation that it was said in; without one it is a fact.
    pub(crate) session: Option<usize>,
    /// Where it is not valid for ever: until or from which place in the order it holds.
    pub(crate) until: Option<usize>,
    pub(crate) from: Option<usize>,
}

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) sort: Sort,
    pub(crate) text: String,
    /// As of which place in the order; now, where none is given.
    pub(crate) as_of: Option<usize>,
    /// Which of what was told answers it.
    pub(crate) answer: usize,
}

/// Sorts of questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    /// In the words of what was told.
    SameWords,
    /// In other words.
    OtherWords,
    /// What was told has changed, and says from and until when it holds.
    Changed,
    /// The same was told twice, differently, and nothing says which holds: the later.
    ToldAgain,
    /// What was said in a conversation.
    Said,
}

impl Sort {
    pub(crate) const ALL: [(Self, &'static str); 5] = [
        (Self::SameWords, "in the same words"),
        (Self::OtherWords, "in other words"),
        (Self::Changed, "changed, with its times"),
        (Self::ToldAgain, "told again, later holds"),
        (Self::Said, "said in a conversation"),
    ];
}

/// Ways to say something, each with a question in its words; and questions in other words.
struct About {
    said: [(&'static str, &'static str); 2],
    other: [&'static str; 2],
    values: [&'static str; 12],
}

/// What is told of people.
const ABOUT: [About; 8] = [
    About {
        said: [
            ("{who} works for {what}", "Who does {who} work for?"),
            ("{who} is employed at {what}", "Where is {who} employed?"),
        ],
        other: ["What is the name of the company that pays {who}?", "Where does {who} have a job?"],
        values: [
            "Norra Bank",
            "Hill Press",
            "Ostara Foods",
            "Veld Mining",
            "Kestrel Air",
            "Lumen Health",
            "Brook Paper",
            "Tarn Software",
            "Alder Rail",
            "Coral Shipping",
            "Pine Insurance",
            "Quarry Steel",
        ],
    },
    About {
        said: [
            ("{who} lives in {what}", "In which town does {who} live?"),
            ("The home of {who} is in {what}", "Where is the home of {who}?"),
        ],
        other: ["What is the address of {who}?", "Where does {who} reside?"],
        values: [
            "Ashford",
            "Belmar",
            "Corvin",
            "Dunmere",
            "Eastvale",
            "Farrow",
            "Glenholt",
            "Harwick",
            "Iverna",
            "Juno Bay",
            "Kelso",
            "Larkfield",
        ],
    },
    About {
        said: [
            ("{who} likes to eat {what}", "What does {who} like to eat?"),
            ("The favourite dish of {who} is {what}", "What is the favourite dish of {who}?"),
        ],
        other: ["Which meal does {who} enjoy most?", "What should I cook for {who}?"],
        values: [
            "mushroom risotto",
            "lentil soup",
            "fried rice",
            "apple pie",
            "grilled trout",
            "onion tart",
            "pumpkin curry",
            "noodle salad",
            "bean stew",
            "cheese dumplings",
            "roast duck",
            "tomato bread",
        ],
    },
    About {
        said: [
            ("{who} plays the {what}", "Which instrument does {who} play?"),
            ("{who} takes lessons on the {what}", "On what does {who} take lessons?"),
        ],
        other: ["What music does {who} make?", "What would {who} bring to a band?"],
        values: [
            "cello",
            "flute",
            "trumpet",
            "harp",
            "drums",
            "oboe",
            "banjo",
            "piano",
            "viola",
            "bassoon",
            "guitar",
            "accordion",
        ],
    },
    About {
        said: [
            ("{who} drives a {what}", "What does {who} drive?"),
            ("The car of {who} is a {what}", "Which car is that of {who}?"),
        ],
        other: ["What vehicle does {who} own?", "In what automobile does {who} arrive?"],
        values: [
            "red van",
            "blue estate",
            "green coupe",
            "silver truck",
            "black saloon",
            "white convertible",
            "yellow hatchback",
            "grey jeep",
            "brown pickup",
            "orange minibus",
            "purple roadster",
            "beige camper",
        ],
    },
    About {
        said: [
            ("{who} is allergic to {what}", "To what is {who} allergic?"),
            ("{who} must not eat {what}", "What must {who} not eat?"),
        ],
        other: ["Which food makes {who} ill?", "What does {who} have to avoid?"],
        values: [
            "peanuts",
            "shellfish",
            "gluten",
            "milk",
            "eggs",
            "soy",
            "sesame",
            "celery",
            "mustard",
            "almonds",
            "strawberries",
            "kiwi",
        ],
    },
    About {
        said: [
            ("{who} is learning {what}", "What is {who} learning?"),
            ("{who} speaks a little {what}", "What does {who} speak a little of?"),
        ],
        other: ["Which foreign language does {who} study?", "In what tongue could I greet {who}?"],
        values: [
            "Portuguese",
            "Finnish",
            "Arabic",
            "Korean",
            "Greek",
            "Polish",
            "Swahili",
            "Turkish",
            "Welsh",
            "Hindi",
            "Danish",
            "Japanese",
        ],
    },
    About {
        said: [
            ("{who} has a {what} at home", "What does {who} have at home?"),
            ("The pet of {who} is a {what}", "What is the pet of {who}?"),
        ],
        other: ["Which animal does {who} keep?", "What creature greets the guests of {who}?"],
        values: [
            "parrot",
            "beagle",
            "tortoise",
            "hamster",
            "goldfish",
            "rabbit",
            "ferret",
            "canary",
            "lizard",
            "poodle",
            "hedgehog",
            "tabby cat",
        ],
    },
];

/// What is said of things.
const SPOKEN: [About; 4] = [
    About {
        said: [
            (
                "Please move the meeting about {who} to {what}",
                "To which day did the meeting about {who} move?",
            ),
            ("The meeting about {who} is on {what}", "When is the meeting about {who}?"),
        ],
        other: ["What day do we come together for {who}?", "When was the appointment on {who} put?"],
        values: DAYS,
    },
    About {
        said: [
            ("The invoice for {who} says {what} euros", "What does the invoice for {who} say?"),
            ("We were billed {what} euros for {who}", "How much were we billed for {who}?"),
        ],
        other: ["What did {who} cost us?", "How much was charged for {who}?"],
        values: ["120", "245", "310", "478", "560", "615", "702", "889", "930", "1040", "1150", "1290"],
    },
    About {
        said: [
            ("The delivery of {who} arrived {what}", "How did the delivery of {who} arrive?"),
            ("When it came, {who} was {what}", "How was {who} when it came?"),
        ],
        other: ["In what state did we receive {who}?", "What was wrong with {who}?"],
        values: [
            "broken",
            "too late",
            "unlabelled",
            "half empty",
            "wet",
            "in the wrong colour",
            "without a lid",
            "scratched",
            "too small",
            "twice",
            "opened",
            "bent",
        ],
    },
    About {
        said: [
            ("Remind me to call the supplier of {who} on {what}", "When am I to call the supplier of {who}?"),
            ("I will call the supplier of {who} on {what}", "On what day do I call the supplier of {who}?"),
        ],
        other: ["When must I phone the vendor of {who}?", "What day is the talk with who sells {who}?"],
        values: DAYS,
    },
];

const DAYS: [&str; 12] = [
    "Monday at nine",
    "Tuesday at ten",
    "Wednesday at noon",
    "Thursday at four",
    "Friday at eight",
    "Saturday at one",
    "Monday at five",
    "Tuesday at two",
    "Wednesday at seven",
    "Thursday at eleven",
    "Friday at three",
    "Sunday at six",
];
const FIRST: [&str; 24] = [
    "Ada", "Bruno", "Carla", "Dario", "Elena", "Felix", "Greta", "Hugo", "Irma", "Jonas", "Karin", "Luca",
    "Mira", "Nils", "Olga", "Pavel", "Rosa", "Sven", "Tilda", "Ugo", "Vera", "Walter", "Yara", "Zeno",
];
const LAST: [&str; 24] = [
    "Abel", "Brandt", "Castro", "Dahl", "Ekman", "Fabri", "Gruber", "Holm", "Ivanov", "Jansen", "Keller",
    "Lund", "Moreau", "Novak", "Olsen", "Petit", "Quist", "Rossi", "Santos", "Toth", "Urban", "Vogel",
    "Weiss", "Zander",
];
const KINDS: [&str; 20] = [
    "green", "folding", "northern", "heavy", "second", "glass", "outdoor", "quiet", "round", "spare",
    "winter", "narrow", "double", "copper", "portable", "old", "bright", "upper", "small", "wooden",
];
const OBJECTS: [&str; 20] = [
    "desks", "pumps", "lamps", "gates", "shelves", "filters", "tents", "bottles", "signs", "cables", "ovens",
    "mats", "ladders", "crates", "mirrors", "sensors", "buckets", "valves", "benches", "curtains",
];
/// What is said in conversations beside it.
const SMALL_TALK: [&str; 6] = [
    "Good morning, what can I do for you?",
    "Thank you, that was all for today",
    "Let me look that up and come back to you",
    "Sorry, I did not get that, could you say it again?",
    "Yes, that is what I meant",
    "I have noted it and will tell the others",
];

/// All of it, by a seed.
pub(crate) fn made(seed: u64) -> (Vec<Told>, Vec<Question>) {
    let mut making = Making { random: Random(seed), told: Vec::new(), asked: Vec::new() };
    making.people();
    making.things();
    making.in_order()
}

struct Making {
    random: Random,
    /// Each with a number by which they are put in order, and until or from which of the others it holds.
    told: Vec<(u64, Told)>,
    asked: Vec<Question>,
}

impl Making {
    fn people(&mut self) {
        let names = self.some(&pairs(&FIRST, &LAST), PEOPLE);
        // Of each, five of eight things are known.
        let mut known: Vec<(String, usize)> = Vec::new();
        for name in names {
            let about = self.some(&[0, 1, 2, 3, 4, 5, 6, 7], 5);
            known.extend(about.into_iter().map(|about| (name.clone(), about)));
        }
        let known = self.some(&known, known.len());
        for (nth, (who, about)) in known.iter().enumerate() {
            let about = &ABOUT[*about];
            if nth < ASKED {
                self.changed(about, who);
            } else if nth < 2 * ASKED {
                self.told_again(about, who);
            } else {
                let (answer, said) = self.tell(about, who, None);
                if nth < 3 * ASKED {
                    self.ask(Sort::SameWords, about.said[said].1, who, answer);
                } else if nth < 4 * ASKED {
                    self.ask_otherwise(Sort::OtherWords, about, who, answer);
                }
            }
        }
    }

    fn things(&mut self) {
        let things = self.some(&pairs(&KINDS, &OBJECTS), THINGS);
        let mut spoken: Vec<(String, usize)> = Vec::new();
        for thing in &things {
            let about = self.some(&[0, 1, 2, 3], 3);
            spoken.extend(about.into_iter().map(|about| (format!("the {thing}"), about)));
        }
        for (nth, (what, about)) in self.some(&spoken, spoken.len()).into_iter().enumerate() {
            let about = &SPOKEN[about];
            let (answer, said) = self.tell(about, &what, Some(nth / 6));
            if nth < ASKED / 2 {
                self.ask(Sort::Said, about.said[said].1, &what, answer);
            } else if nth < ASKED {
                self.ask_otherwise(Sort::Said, about, &what, answer);
            }
            if nth % 2 == 0 {
                let text = SMALL_TALK[self.random.below(SMALL_TALK.len() as u64)].to_owned();
                self.put(Told { text, session: Some(nth / 6), until: None, from: None });
            }
        }
    }

    /// What held until something else did: asked as of now, and as of then, in the words of one or the other.
    fn changed(&mut self, about: &About, who: &str) {
        let [before, after] = self.tell_twice(about, who);
        self.told[before].1.until = Some(after);
        self.told[after].1.from = Some(after);
        let question = about.said[self.random.below(2)].1;
        let is_of_now = self.random.below(2) == 0;
        self.ask(Sort::Changed, question, who, if is_of_now { after } else { before });
        if let (false, Some(asked)) = (is_of_now, self.asked.last_mut()) {
            asked.as_of = Some(before);
        }
    }

    fn told_again(&mut self, about: &About, who: &str) {
        let [_, after] = self.tell_twice(about, who);
        let question = about.said[self.random.below(2)].1;
        self.ask(Sort::ToldAgain, question, who, after);
    }

    /// Tells the same twice, differently, one after the other.
    fn tell_twice(&mut self, about: &About, who: &str) -> [usize; 2] {
        let [(before, _), (after, _)] = [(); 2].map(|()| self.tell(about, who, None));
        let (one, other) = (self.told[before].0, self.told[after].0);
        (self.told[before].0, self.told[after].0) = (one.min(other), one.max(other));
        [before, after]
    }

    /// Tells something; returns which it is, and in which words it was.
    fn tell(&mut self, about: &About, who: &str, session: Option<usize>) -> (usize, usize) {
        let said = self.random.below(2);
        // Nobody is told the same twice: what was told before is not told again.
        let value = loop {
            let value = about.values[self.random.below(12)];
            let text = filled(about.said[said].0, who, value);
            let other = filled(about.said[1 - said].0, who, value);
            if !self.told.iter().any(|(_, told)| told.text == text || told.text == other) {
                break value;
            }
        };
        let text = filled(about.said[said].0, who, value);
        (self.put(Told { text, session, until: None, from: None }), said)
    }

    fn put(&mut self, told: Told) -> usize {
        self.told.push((self.random.next(), told));
        self.told.len() - 1
    }

    fn ask(&mut self, sort: Sort, question: &str, who: &str, answer: usize) {
        self.asked.push(Question { sort, text: filled(question, who, ""), as_of: None, answer });
    }

    fn ask_otherwise(&mut self, sort: Sort, about: &About, who: &str, answer: usize) {
        let question = about.other[self.random.below(2)];
        self.ask(sort, question, who, answer);
    }

    /// Some of a list, in an order of their own.
    fn some<T: Clone>(&mut self, all: &[T], count: usize) -> Vec<T> {
        let mut all = all.to_vec();
        for last in (1..all.len()).rev() {
            all.swap(last, self.random.below(last as u64 + 1));
        }
        all.truncate(count);
        all
    }

    /// Puts all in its order, and says in it what is meant by what.
    fn in_order(self) -> (Vec<Told>, Vec<Question>) {
        let mut order: Vec<usize> = (0..self.told.len()).collect();
        order.sort_by_key(|told| self.told[*told].0);
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(at, told)| place[*told] = at);
        let at = |told: Option<usize>| told.map(|told| place[told]);
        let told = order.iter().map(|nth| &self.told[*nth].1);
        let told =
            told.map(|told| Told { until: at(told.until), from: at(told.from), ..told.clone() }).collect();
        let asked = self.asked.into_iter().map(|asked| Question {
            answer: place[asked.answer],
            as_of: at(asked.as_of),
            ..asked
        });
        (told, asked.collect())
    }
}

fn pairs(first: &[&str], second: &[&str]) -> Vec<String> {
    first.iter().flat_map(|one| second.iter().map(move |other| format!("{one} {other}"))).collect()
}

fn filled(template: &str, who: &str, what: &str) -> String {
    template.replace("{who}", who).replace("{what}", what)
}
