"""What AWS IAM would decide about a request, by the policies that are applied.

`decision` judges requests by policies alone; `judge` asks it about a call of the emulator (`call`), whose actions and
resources `requests` takes from actions.toml and implied.toml, for the role behind its key (`principals`).

Source: AWS IAM user guide, "Policy evaluation logic" and "IAM JSON policy elements: Condition operators".
"""
