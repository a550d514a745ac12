"""The main job: commis that inspect a real folder."""
