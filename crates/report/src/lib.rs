//! L2: a finished or running run, rendered as HTML, Markdown or JSON; pure.
