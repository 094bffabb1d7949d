"""Bring pairs from map attempts to reduce attempts: collected, dealt, spilled, written as runs, and merged by key."""
