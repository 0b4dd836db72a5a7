"""The site, built by ``make docs``. Its root is the checkout: a link holds there, on a forge and on the site."""

import sys
from pathlib import Path

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

import made  # noqa: E402

import ebank_lib  # noqa: E402

project, release, language = "ebank", ebank_lib.__version__, "en"
copyright = "the ebank contributors, MIT licence. The data of the sample are simulated and describe no real institution"
root_doc = "README"
include_patterns = ["README*.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/**.md", "notebooks/*.ipynb"]
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

nb_execution_mode = "off"       # as stored
nb_ipywidgets_js = {}           # neither from here nor from a network
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
smartquotes_action = "qe"       # a command's -- stays
autodoc_typehints = "none"      # numpydoc says them in words
autodoc_member_order = "bysource"
napoleon_use_param = napoleon_use_rtype = False
napoleon_use_ivar = True
suppress_warnings = ["ref.python"]      # a word in a type that is also somebody's attribute

html_theme = "pydata_sphinx_theme"
html_title = "ebank"
html_sidebars = {page: [] for page in ("docs/start", "README.zh", "CHANGELOG", "CONTRIBUTING")}    # nothing below them
html_show_sphinx = html_copy_source = html_show_sourcelink = False
html_theme_options = {"secondary_sidebar_items": ["page-toc"], "navbar_align": "left", "navigation_with_keys": False,
                      "show_prev_next": False, "header_links_before_dropdown": 7}


def _mathml(display):
    def visit(self, node):
        self.body.append(("<p>%s</p>" if display else "%s") % tex2mathml(node.astext(), as_block=display))
        raise SkipNode
    return visit, None


def setup(app):
    """Formulas become MathML, which needs neither script nor font; pages get the parts that the code says itself."""
    app.add_html_math_renderer("mathml", _mathml(False), _mathml(True))
    app.connect("source-read", lambda app, name, text: text.append(text.pop() + made.parts(name)))


html_math_renderer = "mathml"
