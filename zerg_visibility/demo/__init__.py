"""The main job: a concierge and its commis, at work on a real folder."""
