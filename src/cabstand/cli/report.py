"""Commands that present results: the report, the site and the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cabstand.cli.common import emit, load_settings, say
from cabstand.cli.options import Artifacts, DryRun, Lake, Seed

app = typer.Typer()


@app.command()
def report(
    hotspots: Annotated[str, typer.Option(help="Clustering to show; default: the newest.")] = "",
    comparison: Annotated[str, typer.Option(help="Comparison to show; default: the newest.")] = "",
    sweep: Annotated[str, typer.Option(help="Sweep to show; default: the newest.")] = "",
    out: Annotated[str, typer.Option(help="Output folder; default: one under <home>/reports.")] = "",
    lake: Lake = None,
    dry_run: DryRun = False,
) -> None:
    """Write the newest results as an HTML page. The page is self-contained; its charts are also saved as PNG."""
    settings = load_settings(lake=lake)
    from cabstand.jobs.report import Params, run

    emit(run(settings, Params(hotspots=hotspots, comparison=comparison, sweep=sweep, out=out, dry_run=dry_run)))


@app.command()
def site(
    hotspots: Annotated[str, typer.Option(help="Clustering to show first; default: the newest.")] = "",
    plan: Annotated[Path | None, typer.Option(help="Terraform plan in JSON, to price on the page of costs.")] = None,
    out: Annotated[str, typer.Option(help="Output folder; default: <home>/site.")] = "",
    publish: Annotated[bool, typer.Option("--publish", help="Publish it in CABSTAND_SITE, too.")] = False,
    lake: Lake = None,
    artifacts: Artifacts = None,
    track: Annotated[bool, typer.Option("--track/--no-track", help="Show MLflow's runs.")] = True,
    dry_run: DryRun = False,
) -> None:
    """Write all results as a site of several pages. Each page is self-contained and fetches nothing."""
    settings = load_settings(lake=lake, artifacts=artifacts)
    from cabstand.jobs.site import Params, run

    params = Params(hotspots=hotspots, plan=plan, out=out, publish=publish, track=track, dry_run=dry_run)
    result = run(settings, params)
    if not dry_run:
        say(f"Open the site in a browser: {result['index_uri']}")
    emit(result)


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
    say(f"Open the site in a browser: {result['site_page_uri']}")
    say(f"To go on with synthetic data: export CABSTAND_HOME={result['home']}")
    emit(result)
