"""Carry frames between processes over ZeroMQ: small control messages, and bulk ranges on sockets of their own."""
