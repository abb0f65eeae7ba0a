"""What AWS IAM would decide about a request, by the policies that are applied.

Source: AWS IAM user guide, "Policy evaluation logic" and "IAM JSON policy elements: Condition operators".
"""
