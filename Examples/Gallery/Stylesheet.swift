/// How the example looks. The widgets bring their own stylesheet; this one is the page around them.
enum Stylesheet {
    static let css = """
        :root {
            color-scheme: light dark;
            --ground: light-dark(#f6f6f3, #16171a);
            --surface: light-dark(#ffffff, #1f2125);
            --text: light-dark(#1d1f24, #e8e8e6);
            --quiet: light-dark(#5d6169, #a3a7af);
            --line: light-dark(#dedfda, #34373d);
            --accent: light-dark(#2257c5, #8ab4ff);
            --on-accent: light-dark(#ffffff, #0d1b36);
        }
        *, ::before, ::after { box-sizing: border-box; }
        body {
            margin: 0;
            background: var(--ground);
            color: var(--text);
            font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif;
        }
        .bar {
            display: flex;
            flex-wrap: wrap;
            justify-content: space-between;
            align-items: center;
            gap: 0.5rem 2rem;
            max-inline-size: 46rem;
            margin-inline: auto;
            padding: 1.5rem 1.5rem 0;
        }
        .brand { color: inherit; font-weight: 700; font-size: 1.125rem; letter-spacing: -0.01em; text-decoration: none; }
        nav { display: flex; gap: 0.25rem; }
        nav a {
            padding: 0.375rem 0.75rem;
            border-radius: 2rem;
            color: var(--quiet);
            text-decoration: none;
        }
        nav a:hover { color: var(--text); }
        nav a[aria-current] { background: color-mix(in srgb, var(--accent) 12%, transparent); color: var(--accent); font-weight: 600; }
        main { max-inline-size: 46rem; margin-inline: auto; padding: 2.5rem 1.5rem 5rem; }
        h1 { margin: 0 0 0.5rem; font-size: clamp(1.75rem, 5vw, 2.25rem); line-height: 1.15; letter-spacing: -0.02em; }
        .lead { max-inline-size: 38rem; margin: 0 0 2rem; color: var(--quiet); font-size: 1.0625rem; }
        .card {
            padding: clamp(1.25rem, 4vw, 2rem);
            border: 1px solid var(--line);
            border-radius: 1rem;
            background: var(--surface);
            box-shadow: 0 1px 2px rgb(0 0 0 / 5%), 0 8px 24px rgb(0 0 0 / 4%);
        }
        .field + .field { margin-block-start: 1.75rem; padding-block-start: 1.75rem; border-block-start: 1px solid var(--line); }
        .field > label { font-weight: 650; }
        .limit { margin: 0 0 0.75rem; color: var(--quiet); font-size: 0.9375rem; }
        input[type="file"] {
            display: block;
            inline-size: 100%;
            padding: 0.75rem;
            border: 1.5px dashed color-mix(in srgb, var(--quiet) 55%, transparent);
            border-radius: 0.625rem;
            background: color-mix(in srgb, var(--ground) 60%, transparent);
            color: var(--quiet);
            font: inherit;
        }
        input[type="file"]:hover { border-color: var(--accent); }
        input[type="file"]::file-selector-button {
            min-block-size: 2.25rem;
            margin-inline-end: 0.875rem;
            padding: 0.25rem 0.875rem;
            border: 1px solid var(--line);
            border-radius: 0.5rem;
            background: var(--surface);
            color: var(--text);
            font: inherit;
            font-weight: 600;
            cursor: pointer;
        }
        input[type="text"] {
            display: block;
            inline-size: 100%;
            min-block-size: 2.75rem;
            padding: 0.5rem 0.75rem;
            border: 1px solid color-mix(in srgb, var(--quiet) 75%, transparent);
            border-radius: 0.625rem;
            background: var(--surface);
            color: inherit;
            font: inherit;
        }
        .actions { margin-block-start: 2rem; }
        .actions button, .button {
            display: inline-block;
            min-block-size: 2.75rem;
            padding: 0.5625rem 1.5rem;
            border: 1px solid transparent;
            border-radius: 0.625rem;
            background: var(--accent);
            color: var(--on-accent);
            font: inherit;
            font-weight: 650;
            text-decoration: none;
            cursor: pointer;
        }
        .actions button:hover, .button:hover { filter: brightness(1.08); }
        form[data-s3f-busy] .actions button { opacity: 0.6; }
        :is(a, button, input):focus-visible { outline: 3px solid color-mix(in srgb, var(--accent) 65%, transparent); outline-offset: 2px; }
        .notice {
            margin: 0 0 1.5rem;
            padding: 0.75rem 1rem;
            border-inline-start: 4px solid var(--accent);
            border-radius: 0.375rem;
            background: color-mix(in srgb, var(--accent) 10%, transparent);
        }
        .small { margin-block-start: 1.25rem; color: var(--quiet); font-size: 0.875rem; }
        .uploads { display: grid; gap: 0.75rem; margin: 1.5rem 0 2rem; padding: 0; list-style: none; }
        s3file-status { background: var(--surface); box-shadow: 0 1px 2px rgb(0 0 0 / 5%); }
        .empty { margin-block-start: 1.5rem; text-align: center; }
        @media (forced-colors: active) {
            nav a[aria-current] { outline: 1px solid; }
            .actions button, .button { border-color: ButtonText; }
        }

        """

    static let icon = """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#2257c5"/>\
        <path d="M16 23V10m-6 6 6-6 6 6" fill="none" stroke="#fff" stroke-width="3.5" stroke-linecap="round" stroke-linejoin="round"/></svg>
        """
}
