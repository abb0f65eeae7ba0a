"""Commands that present results: the report and the demo."""

from __future__ import annotations

from typing import Annotated

import typer

from cabstand.cli.common import emit, load_settings, say
from cabstand.cli.options import DryRun, Lake, Seed

app = typer.Typer()


@app.command()
def report(
    hotspots: Annotated[str, typer.Option(help="Clustering to show; default: the newest.")] = "",
    comparison: Annotated[str, typer.Option(help="Comparison to show; default: the newest.")] = "",
    sweep: Annotated[str, typer.Option(help="Sweep to show; default: the newest.")] = "",
    out: Annotated[str, typer.Option(help="Output folder; default: one under <home>/reports.")] = "",
    publish: Annotated[bool, typer.Option("--publish", help="Publish it on the site (CABSTAND_SITE), too.")] = False,
    lake: Lake = None,
    dry_run: DryRun = False,
) -> None:
    """Write the newest results as an HTML page. The page is self-contained; its charts are also saved as PNG."""
    settings = load_settings(lake=lake)
    from cabstand.jobs.report import Params, run

    params = Params(
        hotspots=hotspots, comparison=comparison, sweep=sweep, out=out, publish=publish, dry_run=dry_run
    )  # fmt: skip
    emit(run(settings, params))


@app.command()
def demo(
    trips: Annotated[int, typer.Option(help="Number of synthetic trips.")] = 500_000,
    seed: Seed = 1,
    repeats: Annotated[int, typer.Option(help="Trials per engine and size.")] = 5,
) -> None:
    """Run the whole workflow on synthetic trips. Sweeps, clusters, compares, trains and reports, in its own home."""
    settings = load_settings()
    from cabstand.io import synthetic
    from cabstand.jobs.demo import Params, run

    result = run(synthetic.apart(settings), Params(trips=trips, seed=seed, repeats=repeats))
    say(f"Open the report in a browser: {result['report_uri']}")
    say(f"To go on with synthetic data: export CABSTAND_HOME={result['home']}")
    emit(result)
