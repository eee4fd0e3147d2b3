"""Links between the pages of the documentation lead somewhere."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PAGES = sorted(
  path
  for pattern in ('*.md', 'docs/**/*.md', 'examples/**/*.md', 'deploy/**/*.md')
  for path in ROOT.glob(pattern)
)


def anchors(page):
  """Returns the anchors of a page's headings, as GitHub makes them."""
  text = re.sub(r'(?ms)^```.*?^```', '', page.read_text(encoding='utf-8'))
  headings = re.findall(r'(?m)^#+ (.*)$', text)
  return {
    re.sub(r'[^\w -]', '', heading.lower().strip()).replace(' ', '-')
    for heading in headings
  }


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page):
  links = re.findall(r'\]\(([^)\s]+)\)', page.read_text(encoding='utf-8'))
  for link in links:
    if re.match(r'https?:', link):
      continue
    file, _, anchor = link.partition('#')
    target = page.parent / file if file else page
    assert target.exists(), link
    if anchor and target.suffix == '.md':
      assert anchor in anchors(target), link


def test_a_heading_is_an_anchor():
  assert len(PAGES) > 15
  assert 'on-a-gpu-at-256-px' in anchors(ROOT / 'docs' / 'recipe.md')
