"""Scenes of several people: panels on one canvas with captions and lower thirds, composed with moviepy."""
