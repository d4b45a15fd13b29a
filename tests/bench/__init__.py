"""Measurements that are quoted, each by a script that anybody can run."""
