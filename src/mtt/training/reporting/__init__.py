"""What a training reports: events, meters, history columns, speed."""
