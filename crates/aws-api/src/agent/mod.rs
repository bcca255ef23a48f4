//! The frames of the agent websockets.
