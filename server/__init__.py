"""The long-running process: HTTP listeners, jobs, and the one place where parts are joined.

The only door to Flask and APScheduler. Start reading in `server.assembly`.
"""
