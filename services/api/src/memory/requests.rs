//! What is asked of memory.

use serde::{Deserialize, Serialize};
use soorma_core::{Data, PlanStatus, Role, Timestamp};
use uuid::Uuid;

/// A text to be known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreFact {
    /// What is known.
    pub content: String,
    /// What the one who stores it calls it; what has this name already is replaced.
    #[serde(default, alias = "external_id", skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Whether all of the tenant see it.
    #[serde(default, alias = "is_public")]
    pub is_public: bool,
    /// What belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Data>,
    /// Words by which it is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// From when it holds.
    #[serde(default, alias = "valid_from", skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// Until when it holds, not with that moment.
    #[serde(default, alias = "valid_to", skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Timestamp>,
    /// The episode that it comes from.
    #[serde(default, alias = "episode_id", skip_serializing_if = "Option::is_none")]
    pub episode_id: Option<Uuid>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogEpisode {
    /// With which agent.
    #[serde(alias = "agent_id")]
    pub agent_id: String,
    /// Who said it.
    pub role: Role,
    /// What was said.
    pub content: String,
    /// What belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Data>,
    /// The session that it is of.
    #[serde(default, alias = "session_id", skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
}

/// A skill, prompt or rule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreSkill {
    /// For which agent.
    #[serde(alias = "agent_id")]
    pub agent_id: String,
    /// What it is called; one of this name that the agent has gets another version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it is to be used.
    #[serde(default, alias = "trigger_condition", skip_serializing_if = "Option::is_none")]
    pub trigger_condition: Option<String>,
    /// What sort it is: `system_prompt`, `few_shot_example`, `skill`, `rule` or another word.
    #[serde(alias = "procedure_type")]
    pub procedure_type: String,
    /// What it says.
    pub content: String,
}

/// A plan to be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MakePlan {
    /// Its id.
    #[serde(alias = "plan_id")]
    pub plan_id: String,
    /// The session that it is of.
    #[serde(default, alias = "session_id")]
    pub session_id: Option<String>,
    /// The type of the event that it comes with.
    #[serde(alias = "goal_event")]
    pub goal_event: String,
    /// What comes with it.
    #[serde(default, alias = "goal_data", skip_serializing_if = "Option::is_none")]
    pub goal_data: Option<Data>,
    /// The plan that it is a part of.
    #[serde(default, alias = "parent_plan_id")]
    pub parent_plan_id: Option<String>,
}

/// How a plan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetPlanStatus {
    /// How it is.
    pub status: PlanStatus,
}

/// A session to be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MakeSession {
    /// Its id.
    #[serde(alias = "session_id")]
    pub session_id: String,
    /// What it is called.
    #[serde(default)]
    pub name: Option<String>,
    /// What belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Data>,
}

/// What a task is to go on with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreTaskContext {
    /// The task.
    #[serde(alias = "task_id")]
    pub task_id: String,
    /// The plan that it is of.
    #[serde(default, alias = "plan_id")]
    pub plan_id: Option<String>,
    /// The type of the event that it came with.
    #[serde(alias = "event_type")]
    pub event_type: String,
    /// With which event it is to be answered.
    #[serde(default, alias = "response_event")]
    pub response_event: Option<String>,
    /// On which topic it is to be answered; `action-results` where nothing is said.
    #[serde(default, alias = "response_topic", skip_serializing_if = "Option::is_none")]
    pub response_topic: Option<String>,
    /// What came with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    /// The tasks that it waits for.
    #[serde(default, alias = "sub_tasks")]
    pub sub_tasks: Vec<String>,
    /// How far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Data>,
}

/// What changes of what a task goes on with; the rest stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeTaskContext {
    /// The tasks that it waits for.
    #[serde(default, alias = "sub_tasks", skip_serializing_if = "Option::is_none")]
    pub sub_tasks: Option<Vec<String>>,
    /// How far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Data>,
}

/// What a plan is to go on with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StorePlanContext {
    /// The plan.
    #[serde(alias = "plan_id")]
    pub plan_id: String,
    /// The session that it is of.
    #[serde(default, alias = "session_id")]
    pub session_id: Option<String>,
    /// The type of the event that it came with.
    #[serde(alias = "goal_event")]
    pub goal_event: String,
    /// What came with it.
    #[serde(default, alias = "goal_data", skip_serializing_if = "Option::is_none")]
    pub goal_data: Option<Data>,
    /// With which event it is to be answered.
    #[serde(default, alias = "response_event")]
    pub response_event: Option<String>,
    /// How far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Data>,
    /// The name of the state that it is in.
    #[serde(default, alias = "current_state")]
    pub current_state: Option<String>,
    /// The correlation ids of the answers that it waits for.
    #[serde(default, alias = "correlation_ids")]
    pub correlation_ids: Vec<String>,
}

/// What changes of what a plan goes on with; the rest stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangePlanContext {
    /// How far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Data>,
    /// The name of the state that it is in.
    #[serde(default, alias = "current_state", skip_serializing_if = "Option::is_none")]
    pub current_state: Option<String>,
    /// The correlation ids of the answers that it waits for.
    #[serde(default, alias = "correlation_ids", skip_serializing_if = "Option::is_none")]
    pub correlation_ids: Option<Vec<String>>,
}

/// The query of a search or a list; what is absent is not asked. It is written with the names of the wire, but for what it is searched by: that is
/// `query` for [`SEMANTIC_QUERY`](crate::routes::memory::SEMANTIC_QUERY) and `q` elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RecallQuery {
    /// What is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Of which agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// How many are wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// How much each list counts, such as `meaning:1,words:0.5,recency:0.2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// Whether each is to be explained.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub explain: bool,
    /// With all of these tags, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<String>,
    /// With this value of metadata, as `name:value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    /// From this source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Created at or after this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Created before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Timestamp>,
    /// That hold at this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_at: Option<Timestamp>,
    /// Whether those come, too, that do not hold; of lists alone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub also_invalid: bool,
    /// Also what is public in the tenant; so it is where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_public: Option<bool>,
    /// Of this session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Of this role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Of this sort of procedure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub procedure_type: Option<String>,
    /// After which to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn requests_are_written_in_camel_case_and_read_in_either() {
        let fact = StoreFact { content: "c".into(), episode_id: Some(Uuid::nil()), ..StoreFact::default() };
        let written = json!({"content": "c", "isPublic": false, "episodeId": Uuid::nil()});
        assert_eq!(serde_json::to_value(&fact).expect("JSON"), written);
        let snake = json!({"content": "c", "is_public": false, "episode_id": Uuid::nil()});
        assert_eq!(serde_json::from_value::<StoreFact>(snake).expect("reads"), fact);
        let task = json!({"task_id": "t", "event_type": "e", "sub_tasks": ["s"]});
        let read: StoreTaskContext = serde_json::from_value(task).expect("reads");
        let said: Value = serde_json::to_value(&read).expect("JSON");
        assert_eq!(said["subTasks"], json!(["s"]));
        assert_eq!(said.get("responseTopic"), None, "what is not said is the server's to say");
    }
}
