"""What is expected of the page, and what was not met."""
failures = []
figures = {}


def expect(condition, what):
    print(f"{'ok  ' if condition else 'FAIL'} {what}", flush=True)
    if not condition:
        failures.append(what)
