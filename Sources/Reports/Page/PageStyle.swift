import Media

/// The page's style: one column on a phone, light or dark as the system is.
enum PageStyle {
  static let css = """
    :root {
      color-scheme: light dark;
      --page: #f4f5f7; --card: #ffffff; --text: #1f2733; --dim: #5b6675; --line: #e1e5ea;
      --accent: #0f6fc6; --better: #0b7a55; --worse: #b4400a; --note: #fff6e0; --note-line: #e3b341;
      \(sectionColors(dark: false))
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --page: #0e1116; --card: #171c24; --text: #e6e9ee; --dim: #98a3b3; --line: #2b3340;
        --accent: #5cb0ff; --better: #3fcfa4; --worse: #ff9a57; --note: #2b2413; --note-line: #8a6d1f;
        \(sectionColors(dark: true))
        \(LineChart.darkStyle)
      }
    }
    \(rules)
    """

  private static func sectionColors(dark: Bool) -> String {
    LineChart.colors.enumerated().map { index, color in
      "--section\(index): \(dark ? "var(--chart-\(color.hexadecimal.dropFirst()))" : color.hexadecimal);"
    }.joined(separator: " ")
  }

  private static let rules =
    #"""
    * { box-sizing: border-box; }
    body {
      margin: 0; background: var(--page); color: var(--text);
      font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
      -webkit-text-size-adjust: 100%;
    }
    main { max-width: 1180px; margin: 0 auto; padding: 24px 16px 8px; }
    footer { max-width: 1180px; margin: 0 auto; padding: 8px 16px 32px; color: var(--dim); font-size: 13px; }
    header, section { margin-bottom: 32px; }
    h1 { margin: 0 0 8px; font-size: 30px; line-height: 1.2; overflow-wrap: anywhere; }
    h2 { margin: 0 0 12px; font-size: 20px; }
    h3 { margin: 0; font-size: 14px; font-weight: 600; color: var(--dim); }
    p { margin: 0 0 8px; }
    code, pre { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, "DejaVu Sans Mono", monospace; }
    code { overflow-wrap: anywhere; }
    .kind { margin: 0; color: var(--accent); font-weight: 600; }
    .aside, .hint { color: var(--dim); font-size: 13px; }
    .pill {
      display: inline-block; padding: 1px 10px; border-radius: 99px; font-weight: 600;
      background: color-mix(in srgb, var(--accent) 16%, transparent); color: var(--accent);
    }
    .pill.done {
      background: color-mix(in srgb, var(--better) 16%, transparent); color: var(--better);
    }
    .progress { height: 6px; border-radius: 3px; background: var(--line); overflow: hidden; }
    .progress div { height: 100%; background: var(--accent); }
    .facts { margin: 16px 0 0; display: grid; gap: 2px 24px; font-size: 14px; }
    .facts div { display: grid; grid-template-columns: 14em 1fr; gap: 12px; }
    .facts dt { color: var(--dim); }
    .facts dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
    .notes {
      padding: 12px 16px; background: var(--note); border-left: 4px solid var(--note-line);
      border-radius: 6px; font-size: 14px;
    }
    .notes h2 { font-size: 16px; margin: 0 0 4px; }
    .notes ul { margin: 0; padding-left: 20px; overflow-wrap: anywhere; }
    .cards { display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 250px), 1fr)); }
    .card, .chart, details, .pair figure, .picture, .videos figure, table {
      background: var(--card); border: 1px solid var(--line); border-radius: 10px;
    }
    .card { padding: 12px 16px; }
    .card .value { margin: 2px 0 4px; font-size: 26px; font-weight: 700; line-height: 1.2; font-variant-numeric: tabular-nums; }
    .card .aside { margin: 0; display: flex; flex-wrap: wrap; gap: 0 14px; }
    .card .aside b { color: var(--text); font-weight: 600; }
    .change { font-size: 15px; font-weight: 600; white-space: nowrap; }
    .better { color: var(--better); }
    .worse { color: var(--worse); }
    .charts { display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); }
    figure { margin: 0; }
    .chart { padding: 10px 10px 4px; touch-action: pan-y; cursor: crosshair; min-width: 0; }
    .chart:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
    .chart figcaption {
      display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 12px; padding: 0 6px;
      font-size: 14px; font-weight: 600; min-height: 24px;
    }
    .chart output { font-weight: 400; color: var(--dim); font-variant-numeric: tabular-nums; }
    .chart.active output { color: var(--text); }
    .chart svg { display: block; width: 100%; height: auto; overflow: hidden; }
    .cursor { stroke: var(--dim); stroke-width: 1; }
    .marker { fill: var(--card); stroke: var(--text); stroke-width: 2; }
    details { margin-top: 12px; padding: 0 12px; }
    summary { padding: 10px 4px; cursor: pointer; font-weight: 600; }
    details + .aside { margin-top: 8px; }
    details .charts { padding-bottom: 12px; }
    details .chart { border-color: transparent; padding: 6px 0 0; }
    details pre { margin: 0 0 12px; padding: 0 4px; white-space: pre-wrap; overflow-wrap: anywhere; }
    .key-name { color: var(--accent); }
    .prompt { font-size: 18px; }
    .pair { display: grid; gap: 12px; grid-template-columns: 1fr 1fr; margin: 4px 0 12px; }
    .pair figure, .videos figure { overflow: hidden; min-width: 0; }
    .pair img, .pair video, .videos video { display: block; width: 100%; height: auto; background: #ffffff; }
    .pair figcaption, .videos figcaption { padding: 8px 12px; font-size: 14px; }
    .missing { display: grid; place-items: center; min-height: 160px; height: calc(100% - 38px); color: var(--dim); }
    .pixels { image-rendering: pixelated; }
    .pictures { display: flex; flex-wrap: wrap; gap: 10px; align-items: flex-start; }
    .picture { overflow: hidden; width: 112px; }
    .picture button { display: block; width: 100%; padding: 0; border: 0; background: none; cursor: zoom-in; }
    .picture img { display: block; width: 100%; height: 84px; object-fit: cover; object-position: top; background: #ffffff; }
    .picture figcaption { padding: 4px 8px; font-size: 12px; color: var(--dim); overflow-wrap: anywhere; }
    .picture.large { order: -1; width: 100%; }
    .picture.large button { cursor: default; }
    .picture.large img { width: auto; max-width: 100%; height: auto; max-height: 85vh; margin: 0 auto; object-fit: contain; }
    .picture.large .pixels { width: min(100%, 512px); }
    .picture.large figcaption { font-size: 14px; padding: 8px 12px; }
    .videos { display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 420px), 1fr)); }
    .bar { display: flex; gap: 2px; height: 18px; border-radius: 6px; overflow: hidden; margin-bottom: 12px; }
    .part { flex: 0 1 0; min-width: 2px; }
    table { border-collapse: separate; border-spacing: 0; font-size: 14px; font-variant-numeric: tabular-nums; margin-bottom: 8px; }
    th, td { padding: 6px 16px; text-align: right; border-bottom: 1px solid var(--line); }
    th:first-child, td:first-child { text-align: left; }
    th { color: var(--dim); font-weight: 600; }
    tfoot td { border-bottom: 0; font-weight: 600; }
    .key { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 8px; }
    \#((0..<8).map { ".color\($0) { background: var(--section\($0)); }" }.joined(separator: "\n"))
    @media (max-width: 600px) {
      main { padding-top: 16px; }
      h1 { font-size: 24px; }
      .facts div { grid-template-columns: 7.5em 1fr; gap: 8px; }
      .card { padding: 10px 14px; }
      .chart { padding: 8px 4px 2px; }
      details { padding: 0 6px; }
      .pair { gap: 8px; }
      .pair figcaption { padding: 6px 8px; font-size: 13px; }
      table { width: 100%; }
      th, td { padding: 6px 10px; }
    }
    @media print {
      .hint, .picture:not(.large) { display: none; }
      .card, .chart, figure { break-inside: avoid; }
    }
    """#
}
